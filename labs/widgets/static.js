// On a page without a kernel this stands around the module, in place of anywidget: a model that
// keeps the traits in the page, then one call of the module's render().
const pncUnpack = async (uri) => {
  const bytes = Uint8Array.from(atob(decodeURIComponent(uri.split(",")[1])), (one) => one.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
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
  if (!document.getElementById("pnc-style-__NAME__")) {
    const style = document.createElement("style");
    style.id = "pnc-style-__NAME__";
    style.textContent = __CSS__;
    document.head.append(style);
  }
  const model = pncModelOf(await pncUnpack("__STATE__"));
  const el = document.createElement("div");
  pncHost.replaceChildren(el);
  await pncWidget.render({ model, el });
}
