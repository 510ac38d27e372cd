// A table of any length: only the rows that can be seen are in the document.
import { h, replace } from "./dom.js";

const rowHeight = 34;

// table returns {el, show(rows)}. A column is {label, cell(row), sort(row), width, cls};
// cell gives a node or a text.
export function table(label, columns, { empty = "Nothing here.", height, onEnd } = {}) {
  let rows = [];
  let by = columns.findIndex((c) => c.first);
  let down = by >= 0 && columns[by].first === "down";
  const grid = columns.map((c) => c.width ?? "minmax(0,1fr)");
  const narrow = matchMedia("(max-width: 640px)");
  const widths = () => columns.map((c, i) => (narrow.matches && c.cls?.includes("wide") ? null : grid[i])).filter(Boolean).join(" ");
  const heads = columns.map((c, i) => h("div", { role: "columnheader", class: c.cls, "aria-sort": "none" },
    c.sort ? h("button", { type: "button", onclick: () => { down = by === i && !down; by = i; order(); paint(); } }, c.label) : h("span", {}, c.label)));
  const head = h("div", { class: "vhead", role: "row" }, heads);
  const space = h("div", {});
  const body = h("div", { class: "vbody", tabindex: "0", role: "rowgroup", "aria-label": `${label}, rows`, onscroll: () => { paint(); } }, space);
  const none = h("div", { class: "empty" }, empty);
  const box = h("div", { role: "table", "aria-label": label }, h("div", { role: "rowgroup" }, head), body);
  const el = h("div", { class: "vtable" }, box);
  if (height) body.style.maxHeight = height;
  const shown = new Map(); // index -> element

  function order() {
    heads.forEach((cell, i) => cell.setAttribute("aria-sort", i !== by ? "none" : down ? "descending" : "ascending"));
    if (by < 0) return;
    const key = columns[by].sort;
    const sign = down ? -1 : 1;
    rows.sort((a, b) => { const x = key(a), y = key(b); return x < y ? -sign : x > y ? sign : 0; });
  }

  function paint() {
    head.style.gridTemplateColumns = widths();
    space.style.height = `${rows.length * rowHeight}px`;
    box.setAttribute("aria-rowcount", rows.length + 1);
    const first = Math.max(0, Math.floor(body.scrollTop / rowHeight) - 4);
    const last = Math.min(rows.length, Math.ceil((body.scrollTop + (body.clientHeight || 600)) / rowHeight) + 4);
    for (const [i, row] of shown) if (i < first || i >= last) { row.remove(); shown.delete(i); }
    for (let i = first; i < last; i++) {
      let row = shown.get(i);
      if (!row) {
        row = h("div", { class: "vrow", role: "row", "aria-rowindex": i + 2 });
        row.style.top = `${i * rowHeight}px`;
        shown.set(i, row);
        space.append(row);
      }
      row.style.gridTemplateColumns = widths();
      const key = columns.map((c) => (c.text ?? c.sort ?? c.cell)(rows[i])).join("\u0001");
      if (row.dataset.key !== key) {
        row.dataset.key = key;
        replace(row, columns.map((c) => h("div", { role: "cell", class: c.cls }, c.cell(rows[i]))));
      }
    }
    body.style.height = rows.length ? `${rows.length * rowHeight}px` : "";
    if (!rows.length && !none.isConnected) el.append(none);
    if (rows.length) none.remove();
    if (onEnd && last >= rows.length && rows.length) onEnd();
  }

  return {
    el,
    show(list) { rows = list.slice(); order(); paint(); },
  };
}
