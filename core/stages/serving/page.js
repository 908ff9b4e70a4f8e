"use strict";
const TOP = 5, LISTED = 200;
const $ = (id) => document.getElementById(id);
let facts = null;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in made) made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

async function ask(path, options = {}) {
  const token = $("token")?.value || "";
  const headers = { ...(options.headers || {}), ...(token ? { Authorization: "Bearer " + token } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("the service does not answer; is it still running?");
  }
  const body = await response.json();
  if (!response.ok) throw new Error(`${body.where}: ${body.error}`);
  return body;
}

/* ---------------------------------------------------------------- what to ask */

function begin() {
  const { model, inputs, outputs } = facts;
  document.title = $("title").textContent = model.name;
  const ends = outputs.map((each) => each.name + (each.classes ? ` (${each.classes.length} classes)` : "")).join(", ");
  $("about").textContent = `${inputs.map((each) => each.name).join(", ")} → ${ends}`;
  $("engine").textContent = `${model.engine} on ${model.device}, ${model.precision}`;
  const alone = inputs.length === 1 ? inputs[0].type : "";
  const form = alone === "image" || alone === "audio" ? dropZone(inputs[0]) : fields(inputs);
  $("ask").replaceChildren(form);
}

function dropZone(input) {
  const kind = input.type === "image" ? "picture" : "sound";
  const chooser = element("input", { type: "file", accept: input.type + "/*", multiple: true });
  const zone = element("label", { className: "drop" }, element("b", {}, `Drop a ${kind} here`),
    `or choose one; several at once are welcome`, chooser);
  chooser.onchange = () => { sendFiles([...chooser.files], input.type); chooser.value = ""; };
  zone.ondragover = (event) => { event.preventDefault(); zone.classList.add("over"); };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    sendFiles([...event.dataTransfer.files], input.type);
  };
  return zone;
}

async function sendFiles(files, kind) {
  if (!files.length) return;
  const body = new FormData();
  for (const file of files) body.append("file", file, file.name);
  await show(() => ask(`/predict?top=${TOP}`, { method: "POST", body }), files, kind);
}

function fields(inputs) {
  const made = inputs.map((input) => [input, field(input)]);
  const button = element("button", { type: "submit" }, "Answer");
  const grid = element("div", { className: inputs.length > 1 ? "fields" : "" }, ...made.map(([input, control]) =>
    element("label", {}, element("span", {}, element("b", {}, input.name), input.type), control)));
  const form = element("form", { className: "card" }, grid, button);
  form.onsubmit = async (event) => {
    event.preventDefault();
    const row = {};
    for (const [input, control] of made) row[input.name] = await value(input, control);
    const body = JSON.stringify({ rows: [row] });
    const headers = { "Content-Type": "application/json" };
    button.disabled = true;
    await show(() => ask(`/predict?top=${ranks() ? 10 : TOP}`, { method: "POST", body, headers }), [], "");
    button.disabled = false;
  };
  return form;
}

function field(input) {
  const example = facts.example[input.name];
  if (input.type === "image" || input.type === "audio") return element("input", { type: "file", accept: input.type + "/*" });
  if (input.type === "text") return element("textarea", { placeholder: "Write something" });
  if (input.values && input.values.length <= LISTED && input.count <= LISTED) {
    return element("select", {}, ...input.values.map((each) => element("option", {}, each)),
      ...(ranks() ? [] : [element("option", { value: "" }, "(missing)")]));
  }
  const mode = input.type === "number" ? { inputMode: "decimal" } : {};
  return element("input", { type: "text", value: input.type === "number" ? "" : [example].flat().join(" "), ...mode,
    placeholder: { number: input.missing ? "a number, or nothing" : "a number", set: "names, with commas between" }[input.type] || "" });
}

function value(input, control) {
  if (control.type === "file") {
    if (!control.files.length) return "";
    return new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.readAsDataURL(control.files[0]);
    });
  }
  const text = control.value;
  if (input.type === "set") return text.split(",").map((each) => each.trim()).filter(Boolean);
  return text === "" && input.type !== "text" ? null : text;
}

const ranks = () => facts.outputs.some((each) => each.type === "ranking");

/* ---------------------------------------------------------------- what it says */

async function show(request, files, kind) {
  $("answers").setAttribute("aria-busy", "true");
  try {
    const answer = await request();
    const cards = answer.predictions.map((each, place) => card(each, files[place], kind));
    const notes = answer.notes.map((note) => element("p", { className: "quiet" }, note));
    $("answers").replaceChildren(...cards, ...notes);
  } catch (error) {
    $("answers").replaceChildren(element("div", { className: "card bad" }, error.message));
  }
  $("answers").removeAttribute("aria-busy");
}

function card(answer, file, kind) {
  const said = element("div");
  if (file) said.append(element("p", { className: "name" }, answer.name));
  if (file && kind === "audio") said.append(element("audio", { controls: true, src: URL.createObjectURL(file) }));
  if (answer.items) said.append(...ranking(answer));
  for (const [name, output] of Object.entries(answer.outputs || {})) said.append(outputOf(name, output));
  const picture = file && kind === "image" ? [element("img", { src: URL.createObjectURL(file), alt: "" })] : [];
  return element("article", { className: "card answer" }, ...picture, said);
}

function ranking(answer) {
  const items = answer.items.map((each) => element("li", {}, each.title));
  const left = answer.left_out ? `, without the ${answer.left_out} chosen before` : "";
  return [element("p", { className: "name" }, `for ${answer.user}${left}`), element("ol", {}, ...items)];
}

function outputOf(name, output) {
  const { value, probabilities } = output;
  const made = element("div", { className: "output" });
  if (facts.outputs.length > 1) made.append(element("p", { className: "name" }, name));
  const shown = Array.isArray(value) ? value.join(", ") || "none" : typeof value === "number" ? rounded(value) : value;
  made.append(element("p", { className: "value" }, shown));
  for (const [each, share] of order(probabilities || {})) {
    const bar = element("i");
    bar.style.width = `${100 * share}%`;
    made.append(element("div", { className: "share" }, element("span", { title: each }, each),
      element("span", { className: "bar" }, bar), element("span", {}, `${(100 * share).toFixed(1)} %`)));
  }
  return made;
}

const order = (shares) => Object.entries(shares).sort((a, b) => b[1] - a[1]);
const rounded = (value) => String(Number(value.toPrecision(6)));

async function start() {
  try {
    facts = await ask("/schema");
    begin();
    $("answers").replaceChildren();
  } catch (error) {
    $("answers").replaceChildren(element("div", { className: "card bad" }, error.message));
  }
}

if ($("token")) $("token").onchange = start; else start();
