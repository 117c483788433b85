// Arrows run backward, as gradients do.
const SVG = "http://www.w3.org/2000/svg";

function render({ model, el }) {
  ui.mount(el, { title: "Who trains the encoder?", label: "Gradient routing" });
  const routings = model.get("routings");
  const buttons = routings.map(([name, text]) =>
    ui.button(text, () => { model.set("routing", name); model.save_changes(); }, { "aria-pressed": "false" }));
  const stage = ui.h("div", { class: "pnc-routing" });
  const verdict = ui.note();
  verdict.setAttribute("aria-live", "polite");
  el.append(ui.h("div", { class: "pnc-row", style: "gap: .5rem" }, ...buttons), stage, verdict);

  const s = (tag, attributes, text) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text != null) node.textContent = text;
    return node;
  };
  const number = (x) => (x === 0 ? "0" : x < 0.01 || x >= 1000 ? x.toExponential(1) : x.toPrecision(2));

  function draw() {
    const routing = model.get("routing");
    const edges = model.get("edges").filter((edge) => edge.routing === routing);
    const encoders = [...new Set(edges.map((edge) => edge.encoder))];
    const names = Object.fromEntries(routings);
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(routings[i][0] === routing)));

    const svg = s("svg", { viewBox: "0 0 640 300", role: "img", "aria-label": `Gradient graph: ${names[routing]}` });
    const box = (x, y, w, text, note) => {
      svg.append(s("rect", { x, y, width: w, height: 54, rx: 6, class: "pnc-node" }));
      svg.append(s("text", { x: x + w / 2, y: y + (note ? 23 : 32), class: "pnc-node-text" }, text));
      if (note) svg.append(s("text", { x: x + w / 2, y: y + 42, class: "pnc-node-note" }, note));
    };
    const rowOf = (encoder) => (encoders.length === 1 ? 123 : encoder.startsWith("critic") ? 40 : 206);
    const held = (encoder) => {
      const list = edges.find((edge) => edge.encoder === encoder).optimizers;
      return list.length ? `stepped by the ${list.join("'s and the ")}'s optimizer` : "stepped by nobody";
    };
    for (const encoder of encoders) box(10, rowOf(encoder), 210, encoder === "shared" ? "shared encoder" : `${encoder} encoder`, held(encoder));
    box(480, 40, 150, "critic's loss", "TD error");
    box(480, 206, 150, "actor's loss", "α log π − min Q");

    for (const edge of edges) {
      const from = edge.loss === "critic" ? 67 : 233, to = rowOf(edge.encoder) + 27;
      const stopped = edge.grad_norm === 0;
      const idle = !stopped && edge.moved === 0;
      const color = stopped ? "muted" : idle ? "red" : edge.loss === "critic" ? "blue" : "orange";
      const width = stopped ? 2 : Math.max(2, 9 + 1.6 * Math.log10(edge.grad_norm));

      svg.append(s("path", { d: `M478 ${from} C 400 ${from}, 320 ${to}, 226 ${to}`, fill: "none",
        stroke: `var(--pnc-${color}, currentColor)`, "stroke-width": width, "stroke-dasharray": stopped ? "3 6" : idle ? "9 5" : "none", opacity: stopped ? 0.8 : 1 }));
      // Where a number stands: beside its arrow.
      const down = edge.loss === "critic" ? 1 : -1, level = from === to, lone = encoders.length === 1;
      const [x, y, anchor] = level ? [352, from + (down > 0 ? -12 : 24), "middle"]
        : lone ? [340, (from + to) / 2 + (down > 0 ? -9 : 19), "end"] : [410, from + down * 54 + (down > 0 ? 13 : 0), "start"];
      const text = stopped ? "no gradient" : `${number(edge.grad_norm)}${idle ? ", never stepped" : ""}`;
      svg.append(s("text", { x, y, class: "pnc-edge-text", style: `text-anchor: ${anchor}` }, text));
    }
    stage.replaceChildren(svg);
    const words = edges.map((edge) => `${edge.loss}'s loss to the ${edge.encoder} encoder: ` +
      (edge.grad_norm === 0 ? "no gradient" : `norm ${number(edge.grad_norm)}${edge.moved === 0 ? ", which no optimizer steps" : ""}`));
    verdict.textContent = `${words.join("; ")}. ${edges[0].encoder_passes} encoder passes in one update.`;
  }
  return ui.redraw(model, ["routing"], draw);
}
export default { render };
