//! [`Relay`]: a way to a service that comes to an end after so many requests. What was let through is carried out, and its
//! reply may be lost: just what a client leaves behind that is killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use support::wait_until;

/// Lets requests through to a service, and then nothing in either direction.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    lines_left: Arc<AtomicUsize>,
}

impl Relay {
    /// Lets so many lines through.
    pub(super) fn start(service: SocketAddr, lines: usize) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let lines_left = Arc::new(AtomicUsize::new(lines));
        let left = Arc::clone(&lines_left);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // A service that is away has its clients turned away.
                let Ok(service) = TcpStream::connect(service) else { continue };
                let (up, down) = (client.try_clone().unwrap(), service.try_clone().unwrap());
                let (left_up, left_down) = (Arc::clone(&left), Arc::clone(&left));
                thread::spawn(move || pass_requests(&up, service, &left_up));
                thread::spawn(move || pass_replies(down, &client, &left_down));
            }
        });
        Relay { address, lines_left }
    }

    /// Waits until no more is let through.
    pub(super) fn wait_for_end(&self) {
        wait_until("the end of the way", || self.lines_left.load(Ordering::SeqCst) == 0);
    }

    /// Lets everything through from now on.
    pub(super) fn open(&self) {
        self.lines_left.store(usize::MAX / 2, Ordering::SeqCst);
    }
}

fn pass_requests(client: &TcpStream, mut service: TcpStream, left: &AtomicUsize) {
    for line in BufReader::new(client).lines().map_while(Result::ok) {
        let passed =
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if passed && service.write_all(format!("{line}\n").as_bytes()).is_err() {
            break;
        }
    }
    let _ = service.shutdown(Shutdown::Write);
}

fn pass_replies(mut service: TcpStream, mut client: &TcpStream, left: &AtomicUsize) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = service.read(&mut bytes) {
        if left.load(Ordering::SeqCst) > 0 && client.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}
