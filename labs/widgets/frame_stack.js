// One observation is several frames: which ones, and what do they show that one does not?
async function render({ model, el }) {
  const side = model.get("side"), last = model.get("length") - 1, columns = model.get("columns");
  ui.mount(el, { title: "The stack at a step", label: "Frame stack" });
  const sheet = await ui.image(model.get("sheet"));
  const strip = ui.h("div", { class: "pnc-frames" });
  const readout = ui.note();
  readout.setAttribute("aria-live", "polite");
  el.append(strip, ui.row(
    ui.col(ui.slider(model, "step", { label: "Step", max: last }), ui.slider(model, "n", { label: "Frames in the stack", min: 1, max: 4 })),
    ui.col(ui.player(model, "step", { max: last, fps: 6 }), ui.checkbox(model, "differences", { label: "Show what changed since the frame before" })),
  ), readout);

  const scratch = document.createElement("canvas");
  scratch.width = scratch.height = side;
  const pen = scratch.getContext("2d", { willReadFrequently: true });
  const pixels = (index) => {
    pen.drawImage(sheet, (index % columns) * side, Math.floor(index / columns) * side, side, side, 0, 0, side, side);
    return pen.getImageData(0, 0, side, side);
  };

  function draw() {
    const step = model.get("step"), n = model.get("n"), differences = model.get("differences");
    const picks = Array.from({ length: n }, (_, i) => Math.max(step - (n - 1 - i), 0));
    let changed = 0;
    strip.style.setProperty("--frames", n);
    strip.replaceChildren(...picks.map((index, place) => {
      const canvas = ui.canvas(side, side, { label: `Frame of step ${index}`, pixels: 2 });
      canvas.style.width = "100%";
      const picture = pixels(index);
      if (differences) {
        const before = pixels(Math.max(index - 1, 0)).data;
        for (let i = 0; i < before.length; i += 4) {
          let most = 0;
          for (let c = 0; c < 3; c++) most = Math.max(most, Math.abs(picture.data[i + c] - before[i + c]));
          if (place === n - 1 && most > 8) changed += 1;
          for (let c = 0; c < 3; c++) picture.data[i + c] = Math.min(255, 3 * most);
        }
      }
      canvas.getContext("2d").putImageData(picture, 0, 0);
      const channels = `channels ${3 * place}–${3 * place + 2}`;
      return ui.h("figure", {}, canvas, ui.h("figcaption", {},
        ui.h("span", {}, `step ${index}: `), ui.h("span", {}, channels)));
    }));
    const repeated = picks.filter((index) => index === 0).length;
    readout.textContent = `pixels: (${3 * n}, ${side}, ${side}) uint8, ${(3 * n * side * side).toLocaleString("en")} bytes. ` +
      (step < n - 1 ? `The episode has only begun: its first frame stands ${repeated} times. ` : "") +
      (differences ? `${changed} pixels of the newest frame changed visibly.` : "");
  }
  return ui.redraw(model, ["step", "n", "differences"], draw);
}
export default { render };
