// Look before you believe a number: episodes, frame by frame, with what to notice in each.
async function render({ model, el }) {
  const rollouts = model.get("rollouts"), side = model.get("side"), cells = model.get("cells");
  ui.mount(el, { title: "Good and bad episodes", label: "Rollout gallery" });
  const strips = await Promise.all(rollouts.map((r) => ui.image(r.frames)));
  const maps = await Promise.all(rollouts.map((r) => (r.map ? ui.image(r.map) : null)));
  const most = Math.max(...rollouts.map((r) => r.distances.length)) - 1;
  const ZOOM = 2, BOX = side * ZOOM, NEAR = 5;
  const things = [["gripper", "sky"], ["block", "orange"], ["goal", "red"]];

  const picture = ui.canvas(BOX, BOX, { label: "Frame" });
  picture.classList.add("pnc-gallery-picture");
  const s = (tag, attributes = {}, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const chart = s("svg", { viewBox: "0 0 360 170", class: "pnc-gallery-chart", role: "img" });
  const now = ui.h("p", { class: "pnc-note", "aria-live": "polite" });
  const notice = ui.h("p", { class: "pnc-gallery-notice", "aria-live": "polite" });
  const shape = { gripper: "M7 1.5a5.5 5.5 0 1 0 .01 0z", block: "M2 2h10v10h-10z", goal: "M2 2l10 10m0 -10l-10 10" };
  const key = (name, color) => ui.h("span", { class: "pnc-gallery-key" },
    s("svg", { width: 14, height: 14, "aria-hidden": "true" }, s("path", { d: shape[name], fill: "none", stroke: `var(--pnc-${color})`, "stroke-width": 2.5 })), name);
  const looks = rollouts.some((r) => r.keypoints)
    ? ui.checkbox(model, "keypoints", { label: "Dot the encoder's keypoints (policies that have some)" }) : null;
  const attention = maps.some(Boolean)
    ? ui.checkbox(model, "map", { label: "Shade the patches on which the action hangs (pixel policies)" }) : null;
  el.append(
    ui.select(model, "chosen", { label: "Episode", options: rollouts.map((r, i) => [i, `${r.group}: ${r.label}, ${r.success ? "succeeds" : "fails"}`]) }),
    ui.h("div", { class: "pnc-row", style: "margin-top: .7rem" },
      ui.h("figure", { style: "flex: 0 1 360px" }, picture, ui.h("figcaption", {}, ...things.map(([name, color]) => key(name, color)))),
      ui.col(notice, chart, now, ui.slider(model, "step", { label: "Step", max: most }),
        ui.row(ui.player(model, "step", { max: most, fps: 8 }), ui.checkbox(model, "points", { label: "Mark gripper, block and goal" }), attention, looks))));

  const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

  function drawPicture(rollout, step) {
    const pen = picture.getContext("2d"), index = model.get("chosen");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(strips[index], step * side, 0, side, side, 0, 0, BOX, BOX);
    if (maps[index] && model.get("map")) {
      const small = document.createElement("canvas");
      small.width = small.height = cells;
      const brush = small.getContext("2d", { willReadFrequently: true });
      brush.drawImage(maps[index], step * cells, 0, cells, cells, 0, 0, cells, cells);
      const { data } = brush.getImageData(0, 0, cells, cells);
      pen.fillStyle = ui.color(el, "pink");
      for (let i = 0; i < cells * cells; i++) {
        pen.globalAlpha = 0.75 * data[4 * i] / 255;
        const cell = BOX / cells;
        pen.fillRect((i % cells) * cell, Math.floor(i / cells) * cell, cell, cell);
      }
      pen.globalAlpha = 1;
    }
    if (rollout.keypoints && model.get("keypoints")) {
      const spots = rollout.keypoints[step];
      for (let i = 0; i < spots.length; i += 2) {
        pen.beginPath();
        pen.arc(spots[i] / 255 * BOX, spots[i + 1] / 255 * BOX, 3.5, 0, 7);
        pen.fillStyle = ui.color(el, "yellow");
        pen.strokeStyle = "#000";
        pen.lineWidth = 1;
        pen.fill();
        pen.stroke();
      }
    }
    if (!model.get("points")) return;
    things.forEach(([name, color], i) => {
      const [x, y] = [rollout.points[step][2 * i] * BOX, rollout.points[step][2 * i + 1] * BOX];
      if (x < 0) return; // hidden, or not part of the task
      for (const [ink, width] of [["#000", 5], [ui.color(el, color), 2.5]]) {
        pen.strokeStyle = ink;
        pen.lineWidth = width;
        pen.beginPath();
        if (name === "gripper") pen.arc(x, y, 12, 0, 7);
        else if (name === "block") pen.rect(x - 11, y - 11, 22, 22);
        else { pen.moveTo(x - 9, y - 9); pen.lineTo(x + 9, y + 9); pen.moveTo(x + 9, y - 9); pen.lineTo(x - 9, y + 9); }
        pen.stroke();
      }
    });
  }

  function drawChart(rollout, step) {
    const cm = rollout.distances.map((d) => 100 * d), last = cm.length - 1;
    const high = Math.max(...cm, 2 * NEAR);
    const x = (i) => 34 + i / last * 318, y = (d) => 140 - d / high * 118;
    const line = (points, width, opacity) => s("polyline", { points: points.map((d, i) => `${x(i)},${y(d)}`).join(" "), fill: "none", stroke: "var(--pnc-blue)", "stroke-width": width, opacity });
    chart.replaceChildren(
      s("text", { x: 34, y: 12 }, "distance to the goal, cm"),
      s("rect", { x: 34, y: y(NEAR), width: 318, height: 140 - y(NEAR), fill: "var(--pnc-green)", opacity: 0.16 }),
      s("path", { d: `M34 ${y(NEAR)}H352`, stroke: "var(--pnc-muted)", "stroke-dasharray": "3 4" }),
      s("path", { d: "M34 20V140H352", stroke: "var(--pnc-line)" }),
      // In a far chart 0 and 5 would stand on each other: 0 is the axis.
      ...[[0, 0], [NEAR, NEAR], [high, Math.round(high)]].filter(([d]) => d || y(0) - y(NEAR) > 15).map(([d, text]) => s("text", { x: 28, y: y(d) + 4, "text-anchor": "end" }, String(text))),
      ...[0, last / 2, last].map((i) => s("text", { x: x(i), y: 158, "text-anchor": "middle" }, String(Math.round(i)))),
      line(cm, 1.2, 0.45), line(cm.slice(0, step + 1), 3, 1),
      s("circle", { cx: x(step), cy: y(cm[step]), r: 5, fill: "var(--pnc-blue)", stroke: "var(--pnc-paper)" }));
    chart.setAttribute("aria-label", `Distance to the goal at step ${step} of ${last}: ${cm[step].toFixed(1)} centimeters.`);
  }

  function draw() {
    const rollout = rollouts[model.get("chosen")], last = rollout.distances.length - 1;
    const step = Math.min(model.get("step"), last), cm = 100 * rollout.distances[step];
    drawPicture(rollout, step);
    drawChart(rollout, step);
    picture.setAttribute("aria-label", `${rollout.label}, step ${step}: ${cm.toFixed(1)} centimeters from the goal.`);
    notice.replaceChildren(ui.h("strong", {}, "Notice: "), rollout.notice);
    const action = step < last
      ? `Next action: x ${signed(rollout.actions[step][0])}, y ${signed(rollout.actions[step][1])}, z ${signed(rollout.actions[step][2])}.`
      : "The episode is over.";
    now.textContent = `Step ${step}: ${cm.toFixed(1)} cm from the goal, ${cm < NEAR ? "inside" : "outside"} the 5 cm that count as success. ${action}`;
  }
  return ui.redraw(model, ["chosen", "step", "points", "map", "keypoints"], draw);
}
export default { render };
