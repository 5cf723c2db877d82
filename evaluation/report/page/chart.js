"use strict";

const DASHES = ["", "7 3", "2 3", "7 3 2 3"];
const MARKS = [
  (r) => `M${-r},0a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0z`,
  (r) => `M${-r},${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (r) => `M0,${-1.2 * r}l${1.2 * r},${2.1 * r}h${-2.4 * r}z`,
  (r) => `M0,${-1.4 * r}l${1.4 * r},${1.4 * r}l${-1.4 * r},${1.4 * r}l${-1.4 * r},${-1.4 * r}z`,
  (r) => `M0,${1.2 * r}l${1.2 * r},${-2.1 * r}h${-2.4 * r}z`,
];

/** Round numbers in a range, at most about `most`. */
function linearTicks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const ticks = [];
  for (let n = Math.ceil(low / step); n * step <= high * (1 + 1e-12); n++) ticks.push(Number((n * step).toPrecision(12)));
  return ticks;
}

/** Round numbers of a logarithmic axis: the densest row of at most `most`. */
function logTicks(low, high, most) {
  let ticks = [];
  for (const steps of [[1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8], [1, 1.5, 2, 3, 4, 6, 8], [1, 2, 3, 5], [1, 2, 5], [1, 3], [1]]) {
    ticks = [];
    for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade++)
      for (const step of steps) ticks.push(Number(`${step}e${decade}`));
    ticks = ticks.filter((tick) => low <= tick && tick <= high);
    if (ticks.length <= most) break;
  }
  return ticks;
}

/**
 * A chart of curves that follows the width of its place. Points are found with the pointer, or with the arrow keys.
 *
 * series: [{name, style, points: [{x, y, low, high, text}], marks}]; options: {xLabel, yLabel, logX, fromZero, invertY, label}.
 */
class Chart {
  constructor(options) {
    this.options = options;
    this.series = [];
    this.hidden = new Set();
    this.found = null;
    this.svg = drawing("svg", {
      tabindex: 0, role: "img", "aria-label": options.label,
      onpointermove: (event) => this.findAt(event), onpointerleave: () => this.show(null), onkeydown: (event) => this.step(event),
      onblur: () => this.show(null),
    });
    this.tip = element("div", { class: "tip", role: "status" });
    this.legend = element("div", { class: "legend" });
    this.node = element("figure", { class: "chart" }, this.svg, this.tip, this.legend);
    new ResizeObserver(() => this.draw()).observe(this.node);
  }

  set(series, options = {}) {
    Object.assign(this.options, options);
    this.series = series.map((one) => ({ ...one, points: one.points.filter((p) => p.x !== null && p.y !== null) }));
    this.found = null;
    this.legend.replaceChildren(...this.series.map((one) => this.key(one)));
    this.draw();
  }

  key(one) {
    const sample = drawing("svg", { width: 30, height: 12, "aria-hidden": "true" }, this.line(one, "M0,6H30"), this.mark(one, 15, 6));
    sample.setAttribute("class", "series");
    const button = element("button", { type: "button", "aria-pressed": String(!this.hidden.has(one.name)) }, sample, one.name);
    button.addEventListener("click", () => {
      if (!this.hidden.delete(one.name)) this.hidden.add(one.name);
      button.setAttribute("aria-pressed", String(!this.hidden.has(one.name)));
      this.draw();
    });
    return button;
  }

  line(one, d) {
    return drawing("path", { class: "line", d, stroke: color(one.style), fill: "none", "stroke-width": 2, "stroke-dasharray": DASHES[one.style % DASHES.length] });
  }

  mark(one, x, y) {
    return drawing("path", { d: MARKS[one.style % MARKS.length](4), transform: `translate(${x},${y})`, fill: color(one.style) });
  }

  draw() {
    const width = this.node.clientWidth;
    if (!width) return;
    const height = Math.round(Math.min(420, Math.max(240, width * 0.6)));
    const frame = { left: 52, right: width - 14, top: 12, bottom: height - 44 };
    const shown = this.series.filter((one) => !this.hidden.has(one.name) && one.points.length);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.placed = [];
    const all = shown.flatMap((one) => one.points);
    if (!all.length) {
      this.svg.replaceChildren(drawing("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "nothing to draw"));
      return this.show(null);
    }
    const { logX, invertY, fromZero } = this.options;
    const across = logX ? Math.log : (value) => value;
    const [x0, x1] = widened(all.map((p) => across(p.x)));
    let [y0, y1] = widened(all.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]));
    if (fromZero) y0 = 0;
    const x = (value) => frame.left + ((across(value) - x0) / (x1 - x0)) * (frame.right - frame.left);
    const y = (value) => {
      const part = (value - y0) / (y1 - y0);
      return invertY ? frame.top + part * (frame.bottom - frame.top) : frame.bottom - part * (frame.bottom - frame.top);
    };
    const most = Math.max(3, Math.floor(width / 75));
    const xTicks = logX ? logTicks(Math.exp(x0), Math.exp(x1), most) : linearTicks(x0, x1, most);
    const nodes = [];
    for (const tick of xTicks)
      nodes.push(
        drawing("line", { class: "grid", x1: x(tick), x2: x(tick), y1: frame.top, y2: frame.bottom }),
        drawing("text", { x: x(tick), y: frame.bottom + 17, "text-anchor": "middle" }, digits(tick)),
      );
    for (const tick of linearTicks(y0, y1, 6))
      nodes.push(
        drawing("line", { class: "grid", x1: frame.left, x2: frame.right, y1: y(tick), y2: y(tick) }),
        drawing("text", { x: frame.left - 8, y: y(tick) + 4, "text-anchor": "end" }, digits(tick)),
      );
    nodes.push(
      drawing("text", { x: (frame.left + frame.right) / 2, y: height - 6, "text-anchor": "middle" }, this.options.xLabel),
      drawing("text", { transform: `translate(12,${(frame.top + frame.bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, this.options.yLabel),
    );
    for (const one of shown) {
      const group = drawing("g", { class: "series" });
      for (const point of one.points)
        if (point.low !== undefined && point.low !== null)
          group.append(drawing("line", { class: "bar", stroke: color(one.style), x1: x(point.x), x2: x(point.x), y1: y(point.low), y2: y(point.high) }));
      group.append(this.line(one, "M" + one.points.map((p) => `${x(p.x).toFixed(1)},${y(p.y).toFixed(1)}`).join("L")));
      for (const point of one.points) {
        if (one.marks !== false) group.append(this.mark(one, x(point.x), y(point.y)));
        this.placed.push({ x: x(point.x), y: y(point.y), text: `${one.name}\n${point.text}` });
      }
      nodes.push(group);
    }
    this.circle = drawing("circle", { class: "found", r: 7, visibility: "hidden" });
    this.svg.replaceChildren(...nodes, this.circle);
    this.show(null);
  }

  findAt(event) {
    const box = this.svg.getBoundingClientRect();
    const distance = (p) => Math.hypot(p.x - (event.clientX - box.left), p.y - (event.clientY - box.top));
    const best = (this.placed ?? []).reduce((a, b, n) => (a === null || distance(b) < distance(this.placed[a]) ? n : a), null);
    this.show(best !== null && distance(this.placed[best]) < 40 ? best : null);
  }

  step(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || !this.placed.length) return;
    event.preventDefault();
    const count = this.placed.length;
    this.show(this.found === null ? (by > 0 ? 0 : count - 1) : (this.found + by + count) % count);
  }

  show(number) {
    this.found = number;
    const point = number === null ? null : this.placed[number];
    this.tip.textContent = point ? point.text : "";
    if (this.circle) this.circle.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point) return;
    this.circle.setAttribute("cx", point.x);
    this.circle.setAttribute("cy", point.y);
    const room = this.node.clientWidth - this.tip.offsetWidth;
    this.tip.style.left = `${Math.max(0, Math.min(room, point.x + 12))}px`;
    this.tip.style.top = `${Math.max(0, point.y - this.tip.offsetHeight - 10)}px`;
  }
}

function color(style) {
  return `var(--series-${style % 7})`;
}

/** The range of values and a little more to both sides. */
function widened(values) {
  const low = Math.min(...values), high = Math.max(...values);
  const more = (high - low) * 0.04 || Math.abs(high) * 0.05 || 1;
  return [low - more, high + more];
}
