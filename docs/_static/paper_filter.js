/* The filter of spinningup/keypapers: it hides the papers without the words, and topics without papers. */
(function () {
  "use strict";
  const form = document.getElementById("paper-filter");
  const field = form.querySelector("input");
  const papers = [...document.querySelectorAll("ul.papers > li")];
  const holds = (section) => section.querySelector("ul.papers") && !section.contains(form);
  const topics = [...document.querySelectorAll("section")].filter(holds);

  /* Small letters without accents, so that "szepesvari" finds Szepesvári. */
  function plain(text) {
    return text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  }

  function textOf(paper) {
    return plain(paper.textContent + paper.closest("section").querySelector("h2, h3").textContent);
  }

  function update() {
    const words = plain(field.value).split(/\s+/).filter(Boolean);
    for (const paper of papers) paper.hidden = !words.every((word) => textOf(paper).includes(word));
    for (const topic of topics) topic.hidden = !topic.querySelector("ul.papers > li:not([hidden])");
    const found = papers.filter((paper) => !paper.hidden).length;
    form.querySelector("output").textContent = `${found} of ${papers.length} papers`;
  }

  field.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  if (field.value) update(); // the browser keeps what was typed when it goes back to the page
})();
