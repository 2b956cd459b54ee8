//! [`Chart`]: lines over two axes as SVG, with the legend beside them. What the lines mean is not known here.

use std::io;

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;

const WIDTH: u32 = 1000;
/// Unless the legend is longer.
const HEIGHT_MIN: u32 = 540;
const MARGIN_TOP: i32 = 60;
/// Unless a name is longer.
const LEGEND_WIDTH_MIN: i32 = 230;
/// What a character of the legend takes, on average, and what stands before them.
const CHARACTER_WIDTH: i32 = 10;
const LEGEND_INDENT: i32 = 76;
const LEGEND_LINE_HEIGHT: i32 = 28;
const TITLE_FONT: (&str, u32) = ("sans-serif", 26);
const TEXT_FONT: (&str, u32) = ("sans-serif", 21);
const MARK_RADIUS: i32 = 4;
/// Told apart by the colour-blind; the first four, Tol's high-contrast scheme, in shades of grey too.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 68, 136),
    RGBColor(187, 85, 102),
    RGBColor(221, 170, 51),
    RGBColor(0, 0, 0),
    RGBColor(102, 204, 238),
    RGBColor(34, 136, 51),
];
const GRID: RGBColor = RGBColor(222, 222, 222);

/// All of the picture, in pixels.
type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// Lines with what they are drawn over.
pub(super) struct Chart {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

/// Points in the units of the axes, joined in turn.
pub(super) struct Line {
    name: String,
    colour: RGBColor,
    stroke: Stroke,
    has_marks: bool,
    pub(super) points: Vec<(f64, f64)>,
    /// Places on the first axis with the two ends of a stroke along the second.
    pub(super) whiskers: Vec<(f64, f64, f64)>,
}

/// How a line is drawn, so that those of one colour can be told apart.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stroke {
    Solid,
    LongDashes,
    /// Lighter than the others, too.
    Dashes,
    /// As light as that.
    Dots,
}

impl Stroke {
    fn is_lighter(self) -> bool {
        matches!(self, Self::Dashes | Self::Dots)
    }

    /// The lengths of a dash and of the gap behind it.
    fn dashes(self) -> Option<(i32, i32)> {
        match self {
            Self::Solid => None,
            Self::LongDashes => Some((16, 5)),
            Self::Dashes => Some((6, 4)),
            Self::Dots => Some((2, 4)),
        }
    }
}

impl Line {
    /// Without points yet. Lines of the same `colour`, a small number, belong together.
    pub(super) fn new(name: impl Into<String>, colour: usize) -> Self {
        Self {
            name: name.into(),
            colour: COLOURS[colour % COLOURS.len()],
            stroke: Stroke::Solid,
            has_marks: true,
            points: Vec::new(),
            whiskers: Vec::new(),
        }
    }

    /// Drawn like this.
    pub(super) fn stroked(self, stroke: Stroke) -> Self {
        Self { stroke, ..self }
    }

    /// A curve, rather than points that are joined.
    pub(super) fn without_marks(self) -> Self {
        Self { has_marks: false, ..self }
    }

    fn style(&self) -> ShapeStyle {
        let RGBColor(red, green, blue) = self.colour;
        let lighter = |part: u8| part + (255 - part) / 3;
        let colour = if self.stroke.is_lighter() {
            RGBColor(lighter(red), lighter(green), lighter(blue))
        } else {
            self.colour
        };
        colour.stroke_width(2)
    }
}

impl Chart {
    /// As an SVG document.
    pub(super) fn render(&self, title: &str) -> String {
        let mut svg = String::new();
        let legend_height = (MARGIN_TOP + LEGEND_LINE_HEIGHT * self.lines.len() as i32) as u32;
        let size = (WIDTH, HEIGHT_MIN.max(legend_height));
        let canvas = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        self.draw(&canvas, title).expect("nothing fails that is drawn into a string");
        drop(canvas);
        svg
    }

    fn draw(&self, canvas: &Canvas<'_>, title: &str) -> Drawn {
        canvas.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(canvas)
            .margin(16)
            .margin_top(MARGIN_TOP)
            .margin_right(self.legend_width())
            .x_label_area_size(60)
            .y_label_area_size(96)
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        chart
            .configure_mesh()
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .label_style(TEXT_FONT)
            .axis_desc_style(TEXT_FONT)
            .x_desc(self.x.title)
            .y_desc(self.y.title)
            .x_label_formatter(&|value| self.x.label(*value))
            .y_label_formatter(&|value| self.y.label(*value))
            .draw()?;
        let pixel = |x, y| chart.plotting_area().map_coordinate(&(x, y));
        for line in &self.lines {
            for &(x, low, high) in &line.whiskers {
                draw_whisker(canvas, line, pixel(x, low), pixel(x, high))?;
            }
            let points: Vec<_> = line.points.iter().map(|&(x, y)| pixel(x, y)).collect();
            draw_line(canvas, line, &points)?;
            draw_marks(canvas, line, &points)?;
        }
        let (plot_x, _) = chart.plotting_area().get_pixel_range();
        draw_text(canvas, title, (plot_x.start, MARGIN_TOP / 2), TITLE_FONT)?;
        self.draw_legend(canvas, plot_x.end + 20)
    }

    fn legend_width(&self) -> i32 {
        let longest = self.lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
        LEGEND_WIDTH_MIN.max(LEGEND_INDENT + CHARACTER_WIDTH * longest as i32)
    }

    /// Beside the lines, so that it covers none.
    fn draw_legend(&self, canvas: &Canvas<'_>, left: i32) -> Drawn {
        let mut y = MARGIN_TOP + LEGEND_LINE_HEIGHT / 2;
        for line in &self.lines {
            draw_line(canvas, line, &[(left, y), (left + 36, y)])?;
            draw_marks(canvas, line, &[(left + 18, y)])?;
            draw_text(canvas, &line.name, (left + 46, y), TEXT_FONT)?;
            y += LEGEND_LINE_HEIGHT;
        }
        Ok(())
    }
}

fn draw_line(canvas: &Canvas<'_>, line: &Line, points: &[(i32, i32)]) -> Drawn {
    let (points, style) = (points.to_vec(), line.style());
    match line.stroke.dashes() {
        Some((dash, gap)) => canvas.draw(&DashedPathElement::new(points, dash, gap, style)),
        None => canvas.draw(&PathElement::new(points, style)),
    }
}

/// Discs, or rings for a lighter line.
fn draw_marks(canvas: &Canvas<'_>, line: &Line, points: &[(i32, i32)]) -> Drawn {
    if !line.has_marks {
        return Ok(());
    }
    let fill = if line.stroke.is_lighter() { WHITE.filled() } else { line.style().filled() };
    for &point in points {
        canvas.draw(&Circle::new(point, MARK_RADIUS, fill))?;
        canvas.draw(&Circle::new(point, MARK_RADIUS, line.style()))?;
    }
    Ok(())
}

fn draw_whisker(canvas: &Canvas<'_>, line: &Line, low: (i32, i32), high: (i32, i32)) -> Drawn {
    let style = line.style();
    canvas.draw(&PathElement::new([low, high], style))?;
    for (x, y) in [low, high] {
        canvas.draw(&PathElement::new([(x - MARK_RADIUS, y), (x + MARK_RADIUS, y)], style))?;
    }
    Ok(())
}

/// Text whose left end, at half its height, is at this place.
fn draw_text(canvas: &Canvas<'_>, text: &str, at: (i32, i32), font: (&str, u32)) -> Drawn {
    let style = TextStyle::from(font.into_font()).pos(Pos::new(HPos::Left, VPos::Center));
    canvas.draw(&Text::new(text, at, style))
}
