// Records strokes of mouse, pen or finger on a canvas: x and y in the units of a canvas of 1000 by 1000, y downwards; t in
// milliseconds; p, the pressure, from 0 to 1.
export const SIZE = 1000;
const NEAREST = 2.5; // units; a point nearer than that to the last one is left out: it is the screen's rounding

export class Pen {
  // onChange(stroke, ended) is called with the stroke as it grows, and once when it has ended.
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.stroke = null; // that is being drawn
    this.pointer = null;
    this.sawPen = false; // then a touch is a resting hand
    canvas.addEventListener("pointerdown", event => this.begin(event));
    canvas.addEventListener("pointermove", event => this.move(event));
    canvas.addEventListener("pointerup", event => this.end(event));
    canvas.addEventListener("pointercancel", event => this.end(event));
    canvas.addEventListener("contextmenu", event => event.preventDefault());
  }

  begin(event) {
    if (event.pointerType === "pen") this.sawPen = true;
    if (this.stroke || event.button !== 0 || (this.sawPen && event.pointerType === "touch")) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.stroke = { x: [], y: [], t: [], p: [] };
    this.add(event, true);
    this.onChange(this.stroke, false);
  }

  move(event) {
    if (!this.stroke || event.pointerId !== this.pointer) return;
    // A screen shows fewer frames than a pen sends points: the browser keeps those in between.
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.add(each, false);
    this.onChange(this.stroke, false);
  }

  end(event) {
    if (!this.stroke || event.pointerId !== this.pointer) return;
    const stroke = this.stroke;
    if (event.type === "pointerup") this.add(event, true);
    this.stroke = this.pointer = null;
    this.onChange(stroke, true);
  }

  add(event, always) {
    const box = this.canvas.getBoundingClientRect(), { x, y, t, p } = this.stroke, last = x.length - 1;
    const inside = value => Math.min(SIZE, Math.max(0, Math.round(value * 10) / 10));
    const here = { x: inside((event.clientX - box.left) / box.width * SIZE), y: inside((event.clientY - box.top) / box.height * SIZE) };
    const away = last < 0 ? Infinity : Math.hypot(here.x - x[last], here.y - y[last]);
    if (away === 0 || (away < NEAREST && !always)) return;
    x.push(here.x);
    y.push(here.y);
    t.push(Math.max(Math.round(event.timeStamp * 10) / 10, last < 0 ? 0 : t[last]));
    // A lifting pen has no pressure left.
    p.push(Math.round((event.pressure || (last < 0 ? 0.5 : p[last])) * 1000) / 1000);
  }
}
