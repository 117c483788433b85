// On a page without a kernel this stands in place of anywidget: a model that keeps the traits in
// the page, then one call of the module's render(). Code, style and traits come packed.
const pncUnpack = async (uri) => {
  const bytes = Uint8Array.from(atob(decodeURIComponent(uri.split(",")[1])), (one) => one.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
};
const pncImport = async (source) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const module = await import(url);
  URL.revokeObjectURL(url);
  return module.default;
};
const pncModelOf = (values) => {
  const listeners = new Map();
  return {
    get: (name) => values[name],
    set(name, value) {
      if (values[name] === value) return;
      values[name] = value;
      for (const listener of [...(listeners.get(`change:${name}`) ?? []), ...(listeners.get("change") ?? [])]) listener();
    },
    on(event, listener) { listeners.set(event, [...(listeners.get(event) ?? []), listener]); },
    off(event, listener) { listeners.set(event, (listeners.get(event) ?? []).filter((one) => listener && one !== listener)); },
    save_changes() {},
    send() {},
  };
};
// Module scripts run in the order of the page: the first host not yet alive is this script's own.
const pncHost = document.querySelector('[data-pnc-widget="__NAME__"]:not([data-pnc-live])');
if (pncHost) {
  pncHost.setAttribute("data-pnc-live", "");
  const { module, css, state } = await pncUnpack("__PARTS__");
  if (!document.getElementById("pnc-style-__NAME__")) {
    const style = document.createElement("style");
    style.id = "pnc-style-__NAME__";
    style.textContent = css;
    document.head.append(style);
  }
  const widget = await pncImport(module);
  const el = document.createElement("div");
  pncHost.replaceChildren(el);
  await widget.render({ model: pncModelOf(state), el });
}
