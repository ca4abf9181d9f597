// Lines and bands over time as SVG. Nothing here knows what is drawn.

const NS = "http://www.w3.org/2000/svg";
const LEFT = 44, RIGHT = 150, TOP = 8, BOTTOM = 20, ROW = 22;

/** Return a new element with attributes and, perhaps, text. */
export function element(name, attributes = {}, text = "") {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function frame(svg, { from, to }) {
  const { width, height } = svg.getBoundingClientRect();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const right = width - RIGHT, bottom = height - BOTTOM;
  const x = (time) => LEFT + ((time - from) / (to - from)) * (right - LEFT);
  const step = [10, 30, 60, 120, 300, 600, 1800, 3600].find((s) => (to - from) / s <= 8) ?? 7200;
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
    svg.append(element("line", { class: "grid", x1: x(time), x2: x(time), y1: TOP, y2: bottom }));
    const label = new Date(time * 1000).toLocaleTimeString("en-GB");
    svg.append(element("text", { x: x(time), y: height - 5, "text-anchor": "middle" }, label));
  }
  return { x, right, bottom };
}

/**
 * Draw `series` ({name, classes, points: [[time, value]]}), each labelled at its end, and `marks`
 * ({time, text}). A series' last value is in its attribute data-last.
 */
export function lines(svg, { series, marks = [], from, to, max, format }) {
  const { x, right, bottom } = frame(svg, { from, to });
  const y = (value) => bottom - (value / max) * (bottom - TOP);
  for (const part of [0, 0.5, 1]) {
    const at = y(part * max);
    svg.append(element("line", { class: "grid", x1: LEFT, x2: right, y1: at, y2: at }));
    svg.append(element("text", { x: LEFT - 6, y: at + 4, "text-anchor": "end" }, format(part * max)));
  }
  const taken = [];
  for (const { name, classes, points } of series) {
    let path = "";
    for (const [index, [time, value]] of points.entries()) {
      const before = points[index - 1];
      // Prometheus leaves out what is not there: a gap longer than its look-back is a gap here.
      if (!before || time - before[0] > 15) path += `M${x(time).toFixed(1)},${y(value).toFixed(1)}`;
      else path += `H${x(time).toFixed(1)}V${y(value).toFixed(1)}`;
    }
    const last = points.at(-1)[1];
    svg.append(element("path", { class: `series ${classes}`, d: path, "data-series": name, "data-last": last }));
    let at = Math.max(TOP + 8, y(last) + 4);
    while (taken.some((other) => Math.abs(other - at) < 12)) at += 12;
    taken.push(at);
    svg.append(element("line", { class: `series ${classes}`, x1: right + 4, x2: right + 22, y1: at - 4, y2: at - 4 }));
    svg.append(element("text", { class: "strong", x: right + 27, y: at }, `${name} ${format(last)}`));
  }
  for (const { time, text } of marks) {
    svg.append(element("line", { class: "mark", x1: x(time), x2: x(time), y1: TOP, y2: bottom }));
    // Beside its line, on the side that has room.
    const side = x(time) + 8 * text.length > right ? { x: x(time) - 5, "text-anchor": "end" } : { x: x(time) + 5 };
    svg.append(element("text", { class: "mark-label", "data-mark": text, y: TOP + (bottom - TOP) * 0.3, ...side }, text));
  }
}

/** Draw `rows` ({name, bands: [{from, to, text, kind}]}), one below the other. */
export function bands(svg, { rows, from, to }) {
  const { x } = frame(svg, { from, to });
  for (const [index, row] of rows.entries()) {
    const top = TOP + index * (ROW + 6);
    for (const band of row.bands) {
      const left = x(band.from), width = Math.max(2, x(band.to) - left);
      const shape = { class: `state ${band.kind}`, x: left, y: top, width, height: ROW, rx: 3 };
      svg.append(element("rect", { ...shape, "data-state": band.text }));
      const room = Math.floor((width - 8) / 6.2);
      if (room >= 4) {
        const text = band.text.length > room ? `${band.text.slice(0, room - 1)}…` : band.text;
        svg.append(element("text", { class: "strong", x: left + 5, y: top + 15 }, text));
      }
    }
    svg.append(element("text", { x: x(to) + 27, y: top + 15 }, row.name));
  }
}
