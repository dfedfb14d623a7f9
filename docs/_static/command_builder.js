/* The form of user/running: it writes a command and counts the runs. docs/_ext/command_builder.py makes it. */
(function () {
  "use strict";
  const box = document.getElementById("command-builder");
  const algorithms = JSON.parse(box.querySelector("script[type='application/json']").textContent);
  const form = box.querySelector("form");
  const field = form.elements;
  const rows = form.querySelector(".rows");

  /* "[64, 64] [32]" is two values: blanks inside brackets or quotation marks do not separate. */
  function valuesIn(text) {
    return text.match(/(?:\[[^\]]*\]|\([^)]*\)|"[^"]*"|'[^']*'|[^\s[("'])+/g) || [];
  }

  /* A word as every shell takes it; zsh needs quotation marks round brackets. */
  function quoted(word) {
    const bare = word.replace(/^(["'])(.*)\1$/, "$2");
    return /^[\w.,:=@+\/-]+$/.test(bare) ? bare : `"${bare.replace(/(["\\$`])/g, "\\$1")}"`;
  }

  function addRow() {
    const row = document.createElement("div");
    row.innerHTML =
      '<label>Name <select name="key"></select></label>' +
      '<label>Values <input name="values"></label>' +
      '<label>Short name <input name="short" size="5"></label>' +
      '<button type="button" name="remove">Remove</button><p></p>';
    rows.append(row);
    fill(row);
    return row;
  }

  /* Offer the hyperparameters of the algorithm; keep the choice where it still exists. */
  function fill(row) {
    const select = row.querySelector("select");
    const chosen = select.value;
    const parameters = algorithms[field.algorithm.value].parameters;
    const others = [...rows.querySelectorAll("select")].filter((other) => other !== select).map((other) => other.value);
    select.replaceChildren(...Object.keys(parameters).map((name) => new Option(name)));
    select.value = chosen in parameters ? chosen : Object.keys(parameters).find((name) => !others.includes(name));
  }

  function describe(row) {
    const [initial, text] = algorithms[field.algorithm.value].parameters[row.querySelector("select").value];
    row.querySelector("[name=values]").placeholder = initial;
    row.querySelector("p").textContent = text;
  }

  function grid() {
    const found = [...rows.children].map((row) => ({
      key: row.querySelector("select").value,
      short: row.querySelector("[name=short]").value.replace(/[^\w-]/g, ""),
      values: valuesIn(row.querySelector("[name=values]").value),
    }));
    return [...found.filter((one) => one.values.length), { key: "seed", short: "", values: valuesIn(field.seed.value) }];
  }

  function problemOf(axes) {
    const algorithm = field.algorithm.value;
    const keys = axes.map((axis) => axis.key);
    const twice = keys.find((key, i) => keys.indexOf(key) < i);
    if (!field.env.value.trim()) return "Name an environment.";
    if (algorithms[algorithm].unsuited.includes(field.env.value)) {
      return `${algorithm} cannot act in ${field.env.value}: see the chart of algorithms.`;
    }
    if (twice) return `${twice} is there twice: put all its values into one line.`;
    return "";
  }

  /* The parts of the command, each a flag with its values. */
  function command(axes) {
    const { algorithm, backend, env, epochs, exp_name, jobs } = field;
    const isDefault = backend.value === algorithms[algorithm.value].default;
    const flags = [
      ["--env", env.value.trim()],
      ...axes.slice(0, -1).map(({ key, short, values }) => [`--${key}${short ? `[${short}]` : ""}`, ...values]),
      ["--epochs", epochs.value],
      ["--seed", ...axes[axes.length - 1].values],
      ["--exp_name", exp_name.value.trim()],
      ["--jobs", jobs.value],
    ];
    const given = flags.filter(([, value]) => value).map((words) => words.map(quoted).join(" "));
    return [`spinup ${algorithm.value}${isDefault ? "" : `_${backend.value}`}`, ...given];
  }

  /* A line breaks before a flag, not inside one. */
  function show(parts) {
    const spans = parts.map((part) => Object.assign(document.createElement("span"), { textContent: part }));
    box.querySelector("pre").replaceChildren(...spans.flatMap((span) => [span, " "]).slice(0, -1));
  }

  function summary(axes) {
    const counts = axes.map((axis) => ({ key: axis.key, count: axis.values.length || 1 }));
    const runs = counts.reduce((product, { count }) => product * count, 1);
    const factors = counts.filter(({ count }) => count > 1).map(({ key, count }) => `${count} ${key === "seed" ? "seeds" : key}`);
    const perEpoch = axes.find((axis) => axis.key === "steps_per_epoch");
    const steps = Number(field.epochs.value) * algorithms[field.algorithm.value].steps;
    const sizes = perEpoch || !steps ? "" : `, of ${steps.toLocaleString("en").replace(/,/g, "\u202f")} environment steps each`;
    return `${runs} run${runs > 1 ? "s" : ""}${factors.length ? ` = ${factors.join(" × ")}` : ""}${sizes}`;
  }

  function update() {
    for (const row of rows.children) describe(row);
    const axes = grid();
    const problem = problemOf(axes);
    show(command(axes));
    box.querySelector(".sum").textContent = problem || summary(axes);
    box.classList.toggle("has-problem", Boolean(problem));
  }

  /* Another algorithm has other hyperparameters, and perhaps other backends. */
  function changeAlgorithm() {
    const { backends } = algorithms[field.algorithm.value];
    for (const option of field.backend.options) option.disabled = !backends.includes(option.value);
    if (!backends.includes(field.backend.value)) field.backend.value = algorithms[field.algorithm.value].default;
    for (const row of rows.children) fill(row);
  }

  form.addEventListener("click", (event) => {
    if (event.target.name === "add") addRow().querySelector("select").focus();
    if (event.target.name === "remove") event.target.parentElement.remove();
    update();
  });
  form.addEventListener("input", (event) => {
    if (event.target === field.algorithm) changeAlgorithm();
    update();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  const first = addRow();
  first.querySelector("[name=values]").value = "[32] [64,64]";
  first.querySelector("[name=short]").value = "h";
  changeAlgorithm();
  update();
  form.hidden = false;
})();
