// Draws strokes, lines and curves on canvases, in the colours of the page.
import { SIZE } from "./pen.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const HUES = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#8C6D00"]; // Okabe and Ito's
const LIGHT_FIRST = ["#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#8C6D00"];
export const hue = i => (dark.matches ? LIGHT_FIRST : HUES)[i % HUES.length];
export const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export class Paper {
  // paint(paper) is called whenever the canvas must be painted anew.
  constructor(canvas, paint) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.paint = paint;
    new ResizeObserver(() => this.repaint()).observe(canvas);
    dark.addEventListener("change", () => this.repaint());
  }

  repaint() {
    const box = this.canvas.getBoundingClientRect(), scale = devicePixelRatio || 1;
    if (!box.width) return;
    const width = Math.round(box.width * scale), height = Math.round(box.height * scale);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.width = box.width;
    this.height = box.height;
    this.context.setTransform(scale, 0, 0, scale, 0, 0);
    this.context.clearRect(0, 0, box.width, box.height);
    this.context.lineCap = this.context.lineJoin = "round";
    this.paint(this);
  }

  at(value) { return value * this.width / SIZE; }

  // Strokes as they were drawn, wide where the pen pressed.
  strokes(strokes, ink) {
    const pen = this.context;
    pen.strokeStyle = pen.fillStyle = ink;
    for (const { x, y, p } of strokes) {
      if (x.length === 1) this.dot(x[0], y[0], 1.2 + 2 * p[0], ink);
      for (let i = 1; i < x.length; i++) {
        pen.lineWidth = 1.2 + 3.2 * (p[i - 1] + p[i]) / 2;
        pen.beginPath();
        pen.moveTo(this.at(x[i - 1]), this.at(y[i - 1]));
        pen.lineTo(this.at(x[i]), this.at(y[i]));
        pen.stroke();
      }
    }
  }

  // A line of points [x, y], up to a number of them.
  line(points, ink, width = 2, upTo = Infinity) {
    const pen = this.context;
    pen.strokeStyle = ink;
    pen.lineWidth = width;
    pen.beginPath();
    points.slice(0, upTo).forEach(([x, y], i) => (i ? pen.lineTo(this.at(x), this.at(y)) : pen.moveTo(this.at(x), this.at(y))));
    pen.stroke();
  }

  dot(x, y, radius, ink) {
    this.context.fillStyle = ink;
    this.context.beginPath();
    this.context.arc(this.at(x), this.at(y), radius, 0, 7);
    this.context.fill();
  }

  cross(x, y, ink) {
    const pen = this.context, reach = 9;
    pen.strokeStyle = ink;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(this.at(x), this.at(y), reach, 0, 7);
    pen.moveTo(this.at(x) - reach, this.at(y));
    pen.lineTo(this.at(x) + reach, this.at(y));
    pen.moveTo(this.at(x), this.at(y) - reach);
    pen.lineTo(this.at(x), this.at(y) + reach);
    pen.stroke();
  }

  // Curves {colour: [[step, value], …]} over the steps of a training, with the scale of the later nine tenths.
  chart(curves, steps) {
    const pen = this.context, left = 46, bottom = 20, top = 8, right = 8;
    const all = Object.values(curves).flat(), late = all.filter(([step]) => step >= steps * 0.02).map(point => point[1]);
    const values = (late.length > 1 ? late : all.map(point => point[1])).sort((a, b) => a - b);
    if (!values.length) return;
    const low = values[Math.floor(values.length * 0.03)], high = values[values.length - 1], span = (high - low) || 1;
    const x = step => left + (this.width - left - right) * step / steps;
    const y = value => top + (this.height - top - bottom) * (1 - (value - low + span * 0.05) / (span * 1.1));
    pen.font = "12px system-ui, sans-serif";
    pen.fillStyle = colour("quiet");
    pen.strokeStyle = colour("line");
    pen.lineWidth = 1;
    pen.textAlign = "right";
    for (const value of [low, (low + high) / 2, high]) {
      pen.fillText(value.toFixed(span < 1 ? 2 : 1), left - 8, y(value) + 4);
      pen.beginPath();
      pen.moveTo(left, y(value));
      pen.lineTo(this.width - right, y(value));
      pen.stroke();
    }
    pen.textAlign = "left";
    pen.fillText("step 0", left, this.height - 5);
    pen.textAlign = "right";
    pen.fillText(String(steps), this.width - right, this.height - 5);
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, this.width - left, this.height - bottom);
    pen.clip();
    for (const [ink, points] of Object.entries(curves)) {
      pen.strokeStyle = ink;
      pen.lineWidth = 1.8;
      pen.beginPath();
      points.forEach(([step, value], i) => (i ? pen.lineTo(x(step), y(value)) : pen.moveTo(x(step), y(value))));
      pen.stroke();
    }
    pen.restore();
  }
}
