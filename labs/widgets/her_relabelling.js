// One episode from above: choose a step t and a later step t', and see which goal pays what.
const PX = 10; // drawing units per centimeter

function render({ model, el }) {
  const { block, gripper, goal, rewards, hindsight, radius } = model.get("episode");
  const last = rewards.length - 1;
  ui.mount(el, { title: "Relabel one step of a real episode", label: "HER relabeling widget" });

  // The drawing's window: everything that is shown, with a margin.
  const near = [...block, goal].flatMap(([x, y]) => [[x - radius, y - radius], [x + radius, y + radius]]);
  const all = [...near, ...gripper];
  const low = [0, 1].map((i) => Math.min(...all.map((p) => p[i])) - (i ? 4 : 1.5));
  const high = [0, 1].map((i) => Math.max(...all.map((p) => p[i])) + 1.5);
  const [width, height] = [0, 1].map((i) => PX * (high[i] - low[i]));
  const at = ([x, y]) => [PX * (x - low[0]), PX * (high[1] - y)];

  const svg = (tag, attributes = {}, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const path = (points, cls) => svg("polyline", { class: cls, points: points.map((p) => at(p).join(",")).join(" ") });
  const text = ([x, y], words, cls, anchor = "middle") => svg("text", { x, y, class: cls, "text-anchor": anchor }, words);
  const target = (place, cls) => {
    const [x, y] = at(place);
    return svg("g", { class: cls }, svg("circle", { cx: x, cy: y, r: PX * radius }),
      svg("path", { d: `M${x - 7} ${y - 7}l14 14m0 -14l-14 14` }));
  };

  const map = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "pnc-her-map" });
  const strips = ui.h("div", { class: "pnc-her-strips" });
  const readout = ui.h("div", { "aria-live": "polite" });
  const number = (value) => String(value).replace("-", "−");
  const time = ui.slider(model, "t", { label: "Step t, whose reward is asked for", max: last });
  const future = ui.slider(model, "future", { label: "Step t′ ≥ t: where the block was after it becomes the goal", max: last });
  const draw_future = ui.button("Draw t′ as HER does", () => {
    const t = model.get("t");
    model.set("future", t + Math.floor(Math.random() * (last - t + 1)));
    model.save_changes();
  });
  const key = (color, words) => ui.h("span", {}, ui.h("span", { class: "pnc-swatch", style: `background: var(--pnc-${color})` }), words);
  el.append(
    ui.row(
      ui.h("figure", { class: "pnc-her-figure" }, map, ui.h("figcaption", { class: "pnc-row", style: "gap: .2rem 1rem" },
        key("blue", "block"), key("muted", "gripper"), key("red", "original goal"), key("green", "substituted goal"))),
      ui.col(time, future, ui.h("div", { class: "pnc-row", style: "gap: .5rem" }, ui.player(model, "t", { max: last, fps: 6, label: "Play t" }), draw_future), readout),
    ),
    ui.h("p", { class: "pnc-note", style: "margin-top: .8rem" }, `Reward of every step, t = 0 on the left. Filled: 0, the block is within ${radius} cm. Hollow: −1. Hatched: later than t′, never paired with this goal.`),
    strips,
  );

  const clamp = () => { // the past is not on offer
    if (model.get("future") < model.get("t")) { model.set("future", model.get("t")); model.save_changes(); }
  };
  const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]).toFixed(1);

  function strip(name, color, row, until, t) {
    const cells = row.map((reward, i) => ui.h("i", {
      class: (reward === 0 && i <= until ? "pnc-her-paid" : "") + (i > until ? " pnc-her-never" : "") + (i === t ? " pnc-her-now" : ""),
    }));
    const paid = row.slice(0, until + 1).filter((reward) => reward === 0).length;
    const label = `${name}: reward 0 in ${paid} of ${until + 1} steps`;
    return ui.h("div", {}, ui.h("p", { class: "pnc-note" }, label),
      ui.h("div", { class: "pnc-her-strip", role: "img", "aria-label": label, style: `--strip: var(--pnc-${color})` }, ...cells));
  }

  function draw() {
    clamp();
    const [t, f] = [model.get("t"), model.get("future")];
    const reached = block[f + 1], now = block[t + 1];
    const column = hindsight.map((row) => row[f]);
    const [x, y] = at(now), [gx, gy] = at(gripper[t + 1]);
    map.replaceChildren(
      path(gripper, "pnc-her-gripper"),
      path(block, "pnc-her-block pnc-her-faint"), path(block.slice(0, t + 2), "pnc-her-block"),
      target(goal, "pnc-her-original"), target(reached, "pnc-her-substituted"),
      svg("rect", { x: x - 25, y: y - 25, width: 50, height: 50, class: "pnc-her-body" }),
      svg("circle", { cx: gx, cy: gy, r: 7, class: "pnc-her-hand" }),
      svg("path", { d: `M14 ${height - 14}h${10 * PX}`, class: "pnc-her-scale" }),
      text([14 + 5 * PX, height - 22], "10 cm"),
    );
    const words = [["Original", "red", goal, rewards[t]], ["Substituted", "green", reached, column[t]]];
    map.setAttribute("aria-label", `The table from above after step ${t}. ` + words.map(([name, , place]) =>
      `The block is ${distance(now, place)} centimeters from the ${name.toLowerCase()} goal.`).join(" "));
    readout.replaceChildren(ui.h("table", { class: "pnc-table" },
      ui.h("thead", {}, ui.h("tr", {}, ...["Goal", "distance after step t", "reward"].map((head) => ui.h("th", { scope: "col" }, head)))),
      ui.h("tbody", {}, ...words.map(([name, color, place, reward]) => ui.h("tr", {},
        ui.h("th", { scope: "row", style: "white-space: nowrap" }, ui.h("span", { class: "pnc-swatch", style: `background: var(--pnc-${color})` }), name),
        ui.h("td", {}, `${distance(now, place)} cm`), ui.h("td", {}, ui.h("strong", {}, number(reward))))))));
    strips.replaceChildren(strip("Original goal", "red", rewards, last, t),
      strip(`Substituted goal (block after step ${f})`, "green", column, f, t));
  }
  return ui.redraw(model, ["t", "future"], draw);
}
export default { render };
