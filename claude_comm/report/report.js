// Tells the values under the pointer in charts over time, and zooms by dragging; a double click shows all again.
"use strict";
const SVG = "http://www.w3.org/2000/svg";
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);

const short = (value) => Math.abs(value) >= 1000 ? Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(value) : String(Number(value.toPrecision(3)));
const clock = (us) => new Date(us / 1000).toISOString().replace("T", " ").slice(0, 23);

for (const chart of document.querySelectorAll("svg[data-x]")) {
  const [low, high, start, end] = chart.dataset.x.split(" ").map(Number);
  const [bottom, top, floor, ceiling, kind] = chart.dataset.y.split(" ").map((part, index) => index < 4 ? Number(part) : part);
  const unit = chart.dataset.unit || "";
  const groups = [...chart.querySelectorAll("g[data-name]")];
  const height = chart.viewBox.baseVal.height;
  const clip = document.createElementNS(SVG, "clipPath");
  const frame = document.createElementNS(SVG, "rect");
  clip.id = `within-${[...document.querySelectorAll("svg")].indexOf(chart)}`;
  for (const [name, value] of Object.entries({ x: start, y: 0, width: end - start, height })) frame.setAttribute(name, value);
  clip.append(frame);
  const marks = document.createElementNS(SVG, "g");
  marks.setAttribute("clip-path", `url(#${clip.id})`);
  groups[0]?.before(marks);
  const inner = document.createElementNS(SVG, "g");
  inner.append(...groups);
  marks.append(inner);
  chart.append(clip);
  const rule = document.createElementNS(SVG, "line");
  rule.setAttribute("class", "grid");
  chart.append(rule);
  let from = start, scale = 1, drag = null;

  const place = (event) => {
    const box = chart.getBoundingClientRect();
    return Math.min(end, Math.max(start, (event.clientX - box.left) * chart.viewBox.baseVal.width / box.width));
  };
  const value = (y) => {
    const share = (y - floor) / (ceiling - floor);
    return kind === "log" ? 10 ** (Math.log10(bottom) + share * (Math.log10(top) - Math.log10(bottom))) : bottom + share * (top - bottom);
  };
  const points = groups.map((group) => [...group.querySelectorAll("polyline,polygon,circle")].flatMap((mark) =>
    mark.points ? [...mark.points].map((point) => [point.x, point.y]) : [[mark.cx.baseVal.value, mark.cy.baseVal.value]]));
  const zoom = (left, right) => {
    from = left;
    scale = (end - start) / (right - left);
    inner.setAttribute("transform", `translate(${start} 0) scale(${scale} 1) translate(${-left} 0)`);
    for (const label of chart.querySelectorAll("text.tick[text-anchor=middle]")) label.setAttribute("visibility", scale === 1 ? "visible" : "hidden");
  };
  for (const mark of chart.querySelectorAll(".curve")) mark.setAttribute("vector-effect", "non-scaling-stroke");

  chart.addEventListener("pointermove", (event) => {
    const at = place(event);
    const x = from + (at - start) / scale;
    const rows = groups.map((group, index) => {
      const half = group.querySelector("polygon") ? points[index].slice(0, points[index].length / 2) : points[index];
      const nearest = half.reduce((best, point) => !best || Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best, null);
      const base = group.querySelector("polygon") && nearest ? points[index].slice(half.length).find((point) => point[0] === nearest[0]) : null;
      return nearest ? `${group.dataset.name}: ${short(value(nearest[1]) - (base ? value(base[1]) : 0))}${unit}` : null;
    }).filter(Boolean);
    tip.textContent = [clock(low + (x - start) / (end - start) * (high - low)), ...rows].join("\n");
    tip.hidden = false;
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + 14}px`;
    for (const [name, number] of Object.entries({ x1: at, x2: at, y1: 20, y2: floor })) rule.setAttribute(name, number);
  });
  chart.addEventListener("pointerleave", () => { tip.hidden = true; rule.removeAttribute("y2"); });
  chart.addEventListener("pointerdown", (event) => { drag = place(event); });
  chart.addEventListener("pointerup", (event) => {
    const [left, right] = [drag, place(event)].sort((a, b) => a - b).map((at) => from + (at - start) / scale);
    if (drag !== null && right - left > (end - start) / scale / 50) zoom(left, right);
    drag = null;
  });
  chart.addEventListener("dblclick", () => zoom(start, end));
}
