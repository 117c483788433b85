// Turns the LaTeX of the page into MathML, in place.
for (const node of document.querySelectorAll("[data-tex]")) {
  const latex = node.textContent;
  temml.render(latex, node, { displayMode: node.dataset.tex === "block", throwOnError: false });
}
