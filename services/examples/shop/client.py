"""A client of the marketplace, to copy and to change. It needs Python 3.9 and its standard library.

It connects when it has something to say, to the next address where one is away. It sends a request again where that can
do no harm, and says of any other that its outcome is open (`OutcomeUnknown`). When its session is over, it logs in again.
It knows what services/README.md says of all APIs, and the fields of none: what goes in and comes out are dictionaries. It
neither encrypts nor does two things at a time: whoever wants that has several clients.

`client.py [BUYERS SELLERS]` is a seller and a buyer at work. The addresses are those of frontends, HOST:PORT, several
with commas between them.
"""

import decimal
import json
import select
import socket
import sys
import time

CONNECT_TIMEOUT_S = 3
# A frontend answers within this time, also where a database does not.
REPLY_TIMEOUT_S = 15
# For how long a call is tried again: long enough for a service to be restarted.
PATIENCE_S = 30
PAUSE_MIN_S, PAUSE_MAX_S = 0.02, 1
REPLY_BYTES_MAX = 16 << 20  # The longest page of purchases is shorter.
# How many requests are sent before their replies are read. A frontend reads no more of them while many replies wait, so
# whoever only sends may come to wait for a frontend that waits for them.
PIPELINED_MAX = 64
# How long a frontend waits for a database: what was lost is carried out by then, or not at all, unless one is stopped.
SETTLED_AFTER_S = 2

# APIs that may be called again, whatever others do meanwhile.
REPEATABLE = {"DisplayCart", "DisplayItemsForSale", "GetBuyerPurchases", "GetItem", "GetSellerRating", "ListCategories", "Login",
              "Logout", "Ping", "SearchItemsForSale"}
# APIs that leave the same behind when they are called twice, unless somebody else changes the same thing in between.
REPEATABLE_ALONE = {"ChangeItemPrice", "ClearCart", "ProvideFeedback", "SaveCart"}
# APIs about the cart of a session: in a new session it is another one.
OF_THE_CART = {"AddItemToCart", "ClearCart", "DisplayCart", "MakePurchase", "RemoveItemFromCart", "SaveCart"}


class Error(Exception):
    """A call brought no data."""
    code = None


class Refused(Error):
    """The service said no, with a `code` for programs and a message for people. Nothing was changed."""
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Unavailable(Error):
    """Nobody could be reached, or had time. Nothing was changed."""


class OutcomeUnknown(Error):
    """It was carried out, or was not, or will be within seconds: look before you call again."""


class CartReplaced(Error):
    """The session was over. There is a new one, whose cart is the saved one. Nothing was changed."""


class Client:
    """A client of one kind of frontend, which is found at any of the addresses. `is_alone` says that nobody else changes
    the prices, carts and votes of this account, so that such changes may be sent again."""

    def __init__(self, addresses, is_alone=False):
        self.addresses = list(addresses)  # The one that is used comes first.
        self.is_alone = is_alone
        self.connection = self.account = self.session = None
        self.last_id = 0

    def log_in(self, username, password):
        """From now on calls have the session, and another one when that is over: so the password is kept."""
        self.session = self.call("Login", username=username, password=password)["session_id"]
        self.account = username, password

    def purchase(self, key):
        """Buys what is in the cart. The key is the order's: whoever writes it down before the first call, and calls again
        with it after whatever has happened, buys once and gets the same receipt."""
        return self.call("MakePurchase", idempotency_key=key)

    def call(self, api, **data):
        """Calls an API with these fields, and returns those of the reply."""
        result, = self.call_all(api, [data])
        if isinstance(result, Error):
            raise result
        return result

    def call_all(self, api, all_data):
        """Calls an API with each of these fields, many at a time; returns the results, errors among them. What is sent
        again comes after others, so this is for calls whose order makes no difference."""
        give_up_at, pause = time.monotonic() + PATIENCE_S, PAUSE_MIN_S
        results, is_open = [None] * len(all_data), [False] * len(all_data)
        while left := [i for i, result in enumerate(results) if result is None][:PIPELINED_MAX]:
            attempts = self._attempt(api, [all_data[i] for i in left])
            is_last = time.monotonic() + pause > give_up_at
            is_renewed = not is_last and any(map(_has_no_session, attempts)) and self._renew()
            for i, attempt in zip(left, attempts):
                result = attempt
                if is_renewed and _has_no_session(attempt):
                    result = CartReplaced("the session was over, and the cart with it") if api in OF_THE_CART else None
                elif isinstance(attempt, Unavailable) and not is_last:
                    result = None
                elif isinstance(attempt, OutcomeUnknown) and not is_last and self._may_repeat(api, all_data[i]):
                    is_open[i], result = True, None  # This attempt may have been carried out.
                results[i] = _leave_open(result) if is_open[i] and api not in REPEATABLE else result
            if any(results[i] is None for i in left):
                time.sleep(pause)
                pause = min(pause * 2, PAUSE_MAX_S)
        return results

    def _may_repeat(self, api, data):
        return (api in REPEATABLE or api in REPEATABLE_ALONE and self.is_alone
                or api == "MakePurchase" and "idempotency_key" in data)

    def _renew(self):
        """Logs in again, and returns whether there is a new session."""
        if not self.account:
            return False
        try:
            self.log_in(*self.account)
            return True
        except Error:
            return False

    def _attempt(self, api, all_data):
        """Sends all requests, and reads the replies, which come in the same order; returns data and errors."""
        try:
            self._connect()
        except OSError as error:
            return [Unavailable(f"cannot connect: {error}")] * len(all_data)
        attempts = []
        try:
            first_id = self.last_id + 1
            self.connection.sendall(b"".join(self._line(api, data) for data in all_data))
            for request_id in range(first_id, self.last_id + 1):
                attempts.append(self._receive(request_id))
        except (OSError, ValueError) as error:
            # Whatever else comes over this connection belongs to no later call.
            self._close()
            attempts += [OutcomeUnknown(str(error))] * (len(all_data) - len(attempts))
        return attempts

    def _line(self, api, data):
        self.last_id += 1
        # All APIs take a session, needed or not. A `Decimal` is a price, all of which doubles can tell apart.
        data = {**data, "session_id": self.session} if self.session else data
        request = {"request_id": self.last_id, "api": api, "data": data}
        return json.dumps(request, default=float).encode() + b"\n"

    def _receive(self, request_id):
        line = self.replies.readline(REPLY_BYTES_MAX)
        if not line.endswith(b"\n"):
            raise ConnectionError("the connection ended within a reply")
        # Prices and sums are exact that way, however great.
        reply = json.loads(line, parse_float=decimal.Decimal)
        # A reply to anything else, such as `null` where there are too many connections, is no answer.
        if reply["request_id"] != request_id:
            raise ValueError(f"no reply, but {line}")
        if reply["ok"]:
            return reply["data"]
        code, message = reply["error"]["code"], reply["error"]["message"]
        if code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED") and message.endswith("nothing was changed"):
            return Unavailable(message)
        return OutcomeUnknown(message) if code in ("UNAVAILABLE", "INTERNAL") else Refused(code, message)

    def _connect(self):
        """Connects to the first address that can be reached, unless there is a connection."""
        # One over which something comes unasked was closed, perhaps long ago. Nobody could tell what of the next request.
        if self.connection and select.select([self.connection], [], [], 0)[0]:
            self._close()
        for left in reversed(range(0 if self.connection else len(self.addresses))):
            host, port = self.addresses[0].rsplit(":", 1)
            try:
                self.connection = socket.create_connection((host.strip("[]"), port), CONNECT_TIMEOUT_S)
                self.connection.settimeout(REPLY_TIMEOUT_S)
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.replies = self.connection.makefile("rb")
                return
            except OSError:
                self.addresses.append(self.addresses.pop(0))
                if not left:
                    raise

    def _close(self):
        self.replies.close()
        self.connection.close()
        self.connection = None


def _has_no_session(attempt):
    return isinstance(attempt, Error) and attempt.code in ("SESSION_TIMEOUT", "NOT_LOGGED_IN")


def _leave_open(result):
    """The result of a call of which an earlier attempt may have changed something: a later one that fails undoes nothing.
    But two codes tell of a purchase that no earlier attempt has made it either."""
    is_open = isinstance(result, Error) and result.code not in ("OUT_OF_STOCK", "FAILED_PRECONDITION")
    return OutcomeUnknown(str(result)) if is_open else result


def put_into_cart(client, item_id, quantity):
    """Has the cart hold so many units of an item. An `AddItemToCart` whose reply was lost must not be sent again, so this
    looks what has come of it."""
    while True:
        try:
            missing = quantity - client.call("DisplayCart")["cart"].get(item_id, 0)
            if missing == 0:
                return
            api = "AddItemToCart" if missing > 0 else "RemoveItemFromCart"
            client.call(api, item_id=item_id, quantity=abs(missing))
        except CartReplaced:
            pass  # The cart of the new session is as good.
        except OutcomeUnknown:
            time.sleep(SETTLED_AFTER_S)


def enter(addresses, username):
    """A client of an account, which is made if it is not there."""
    client = Client(addresses, is_alone=True)
    try:
        client.call("CreateAccount", name=username, password="secret")
    except OutcomeUnknown:
        pass  # The login shows whether there is an account.
    except Refused as refused:
        if refused.code != "ALREADY_EXISTS":
            raise
    client.log_in(username, "secret")
    return client


def main(buyers="127.0.0.1:6003", sellers="127.0.0.1:6004"):
    seller = enter(sellers.split(","), "example-seller")
    teas = [{"name": name, "category": 7, "keywords": ["tea"], "condition": "new", "price": 4.5, "quantity": 10}
            for name in ("Sencha", "Assam", "Mate")]
    # The three are on their way at the same time. Of one whose outcome is unknown, `DisplayItemsForSale` would tell.
    item_id = seller.call_all("RegisterItemForSale", teas)[2]["item_id"]
    seller.call("ChangeItemPrice", item_id=item_id, price=decimal.Decimal("4.20"))
    buyer = enter(buyers.split(","), "example-buyer")
    put_into_cart(buyer, item_id, 2)
    # Whoever has orders of their own takes their numbers. This one is new each time.
    print(buyer.purchase(f"order-{time.time_ns()}"))


if __name__ == "__main__":
    main(*sys.argv[1:])
