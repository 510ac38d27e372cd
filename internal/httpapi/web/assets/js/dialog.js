// Questions to the operator, in a modal dialog.
import { h } from "./dom.js";

// confirm asks; it gives the values of the fields, or null where the answer is no.
export function confirm({ title, text = "", yes = "OK", only = false, fields = [] }) {
  return new Promise((answer) => {
    const inputs = new Map();
    const rows = fields.map((f) => {
      const input = f.options ? h("select", { name: f.name }, f.options.map(([value, label]) => h("option", { value }, label)))
        : h("input", { name: f.name, type: f.type ?? "text", min: f.min, autocomplete: "off" });
      inputs.set(f, input);
      return f.type === "checkbox" ? h("label", {}, h("span", {}, input, " ", f.label)) : h("label", {}, f.label, input);
    });
    const form = h("form", { method: "dialog" }, h("h2", {}, title), text ? h("p", {}, text) : null, rows,
      h("div", { class: "actions" }, only ? null : h("button", { type: "submit", value: "no", formnovalidate: true }, "Cancel"), h("button", { type: "submit", class: "primary", value: "yes" }, yes)));
    const box = h("dialog", { "aria-label": title, onclose: () => {
      box.remove();
      answer(box.returnValue !== "yes" ? null : Object.fromEntries([...inputs].map(([f, input]) => [f.name, f.type === "checkbox" ? input.checked : f.type === "number" ? Number(input.value) : input.value])));
    } }, form);
    document.body.append(box);
    box.showModal();
    form.querySelector("button.primary").focus();
  });
}
