// Shared by every widget: this text is put in front of each module. Everything hangs on `ui`.
const ui = (() => {
  /** An element: h("p", { class: "pnc-note", onclick: f }, "text", child, ...). */
  function h(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child != null));
    return node;
  }

  /** Empties `el` and makes it a widget's frame. `label` names it for screen readers. */
  function mount(el, { label, title }) {
    el.replaceChildren();
    el.classList.add("pnc-widget");
    el.setAttribute("role", "group");
    // JupyterLab would take the arrow keys of a focused slider for shortcuts of its own.
    el.addEventListener("keydown", (event) => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
    });
    el.setAttribute("aria-label", label ?? title);
    if (title) el.append(h("p", { class: "pnc-title" }, title));
    return el;
  }

  /** A row that wraps, and a column of it. */
  const row = (...children) => h("div", { class: "pnc-row" }, ...children);
  const col = (...children) => h("div", { class: "pnc-col" }, ...children);
  const note = (...children) => h("p", { class: "pnc-note" }, ...children);

  /**
   * A labeled slider tied to a number trait. Returns its element; `.input` is the range input.
   * `format` says the value in words; for a list, let the trait be its index.
   */
  function slider(model, trait, { label, min = 0, max, step = 1, format = String }) {
    const id = `pnc-${(window.pncCount = (window.pncCount ?? 0) + 1)}`; // modules share the page
    const input = h("input", { type: "range", id, min, max, step });
    const output = h("output", { "aria-hidden": "true" });
    const show = () => {
      const value = model.get(trait);
      input.value = value;
      output.textContent = format(value);
      input.setAttribute("aria-valuetext", format(value));
    };
    input.addEventListener("input", () => {
      model.set(trait, Number(input.value));
      model.save_changes();
    });
    model.on(`change:${trait}`, show);
    show();
    const element = h("div", { class: "pnc-slider" }, h("label", { for: id }, label), output, input);
    element.input = input;
    return element;
  }

  /** A labeled checkbox tied to a boolean trait. */
  function checkbox(model, trait, { label }) {
    const input = h("input", { type: "checkbox" });
    const show = () => { input.checked = model.get(trait); };
    input.addEventListener("change", () => { model.set(trait, input.checked); model.save_changes(); });
    model.on(`change:${trait}`, show);
    show();
    return h("label", { class: "pnc-field" }, input, label);
  }

  /** A labeled drop-down tied to a trait. `options` is a list of [value, text]. */
  function select(model, trait, { label, options }) {
    const input = h("select", {}, ...options.map(([, text], i) => h("option", { value: i }, text)));
    const show = () => { input.value = options.findIndex(([value]) => value === model.get(trait)); };
    input.addEventListener("change", () => { model.set(trait, options[input.value][0]); model.save_changes(); });
    model.on(`change:${trait}`, show);
    show();
    return h("label", { class: "pnc-field" }, label, input);
  }

  /** A button. */
  const button = (text, onclick, attributes = {}) => h("button", { type: "button", onclick, ...attributes }, text);

  /** A play/pause button that steps a whole-number trait from 0 to `max`, `fps` times a second. */
  function player(model, trait, { max, fps = 10, label = "Play" }) {
    let timer = null;
    const stop = () => { clearInterval(timer); timer = null; node.textContent = label; node.setAttribute("aria-pressed", "false"); };
    const tick = () => {
      if (!node.isConnected || model.get(trait) >= max) return stop();
      model.set(trait, model.get(trait) + 1);
      model.save_changes();
    };
    const node = button(label, () => {
      if (timer !== null) return stop();
      if (model.get(trait) >= max) { model.set(trait, 0); model.save_changes(); }
      node.textContent = "Pause";
      node.setAttribute("aria-pressed", "true");
      timer = setInterval(tick, 1000 / fps);
    }, { "aria-pressed": "false" });
    return node;
  }

  /**
   * A canvas with a name for screen readers. `width` × `height` are its drawing pixels; it shrinks
   * with the page. `pixels: n` enlarges each drawing pixel n times without smoothing.
   */
  function canvas(width, height, { label, pixels = 0 }) {
    const node = h("canvas", { width, height, role: "img", "aria-label": label });
    if (pixels) {
      node.classList.add("pnc-pixels");
      node.style.width = `${width * pixels}px`;
    }
    return node;
  }

  /** A palette color of base.css as the page's theme has it now: color(el, "blue"). */
  const color = (el, name) => getComputedStyle(el).getPropertyValue(`--pnc-${name}`).trim();

  /** Calls `draw` now, when one of the traits changes, and when the page turns light or dark. */
  function redraw(model, traits, draw) {
    for (const trait of traits) model.on(`change:${trait}`, draw);
    const observer = new MutationObserver(draw);
    const attributeFilter = ["data-theme", "data-jp-theme-light", "class"];
    observer.observe(document.documentElement, { attributes: true, attributeFilter });
    observer.observe(document.body, { attributes: true, attributeFilter });
    draw();
    return () => { // for anywidget, which calls it when the view goes
      observer.disconnect();
      for (const trait of traits) model.off(`change:${trait}`, draw);
    };
  }

  /** An Image from a data URI; resolves when it can be drawn. */
  function image(source) {
    return new Promise((resolve, reject) => {
      const picture = new Image();
      picture.onload = () => resolve(picture);
      picture.onerror = () => reject(new Error("the widget's picture cannot be decoded"));
      picture.src = source;
    });
  }

  return { h, mount, row, col, note, slider, checkbox, select, button, player, canvas, color, redraw, image };
})();
