// The page: draw a set, train on it, and let the model continue strokes. The server keeps everything; strokes that it does not have
// yet are kept in the browser.
import { Pen } from "./pen.js";
import { colour, hue, Paper } from "./paper.js";

const $ = id => document.getElementById(id);
const show = (id, visible) => { $(id).hidden = !visible; };
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const SAVE_AFTER = 250, RETRY_AFTER = 3000, ASK_EVERY = 1000; // milliseconds

let token = "", given = null, presets = {}, name = "";
let set = { drawings: [], junction: null, kind: null }, current = 0;
let marking = false, growing = null, seen = null; // seen: the drawings as the model sees them
let progress = { state: "none" }, sampled = null, model = null;
let away = false; // the server does not answer
let beginning = [], futures = [], shown = Infinity, seed = 0, asked = 0;

// --- the server ---

async function ask(path, body) {
  const call = () => fetch(path, body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json", "X-Token": token }, body: JSON.stringify(body),
  });
  let answer = await call();
  if (answer.status === 403 && body !== undefined) { // the server was started again, and has another token
    token = (await (await fetch("/state")).json()).token;
    answer = await call();
  }
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

function complain(error) {
  away = error instanceof TypeError;
  $("wrong").textContent = away ? "The server does not answer: start it again by the same command. Nothing is lost." : error?.message ?? "";
  show("wrong", Boolean(error));
}

const tried = action => async (...values) => {
  try {
    await action(...values);
    complain(null);
  } catch (error) {
    complain(error);
  }
};

// --- drawings ---

const kept = () => `vrnn-draw:${name}`;
const drawing = () => (set.drawings[current] ??= { strokes: [] });
const drawn = () => set.drawings.some(one => one.strokes.length);
let timer = 0, saving = Promise.resolve();

function changed() {
  seen = null;
  localStorage.setItem(kept(), JSON.stringify(set));
  $("saved").textContent = "…";
  clearTimeout(timer);
  timer = setTimeout(save, SAVE_AFTER);
  render();
}

function save() {
  clearTimeout(timer);
  saving = saving.then(async () => {
    const key = kept(), sent = JSON.stringify(set);
    try {
      const { file } = await ask("/save", { name, set: JSON.parse(sent) });
      if (localStorage.getItem(key) === sent) localStorage.removeItem(key);
      $("saved").textContent = `saved in ${file}`;
      complain(null);
      await look();
    } catch (error) {
      $("saved").textContent = "not saved";
      complain(error);
      timer = setTimeout(save, RETRY_AFTER);
    }
  });
  return saving;
}

async function look() {
  if (!drawn()) return void ($("says").textContent = $("suggested").textContent = "");
  try {
    seen = await ask("/see", { name });
    $("says").textContent = seen.says;
    if (!set.kind) $("suggested").textContent = seen.kind === "laps" ? "laps through one point" : "strokes with lifts";
    renderPresets();
  } catch (error) {
    $("says").textContent = error.message;
  }
  papers.paper.repaint();
}

async function load(wanted) {
  const state = await ask(`/state${wanted ? `?name=${encodeURIComponent(wanted)}` : ""}`);
  ({ token, given, presets, name } = state);
  const unsaved = localStorage.getItem(kept());
  set = unsaved ? JSON.parse(unsaved) : state.set;
  set.drawings = set.drawings.length ? set.drawings : [{ strokes: [] }];
  current = set.drawings.length - 1;
  [seen, model, sampled, futures, beginning, progress] = [null, null, null, [], [], { state: "none" }];
  if (!given) progress = await ask(`/progress?name=${encodeURIComponent(name)}`).catch(() => progress); // else by `watch`
  $("name").value = name;
  $("names").replaceChildren(...state.names.map(each => Object.assign(document.createElement("option"), { value: each })));
  history.replaceState(null, "", `#${name}`);
  $("saved").textContent = "";
  for (const radio of document.querySelectorAll("[name=kind]")) radio.checked = radio.value === (set.kind ?? "");
  renderPresets();
  render();
  if (unsaved) await save(); else if (!given) await look();
}

function renderPresets() {
  const kind = set.kind ?? seen?.kind ?? "strokes", names = Object.keys(presets[kind] ?? {});
  const before = document.querySelector("[name=preset]:checked")?.value ?? progress.preset ?? "quick";
  const chosen = names.includes(before) ? before : names[0];
  const labels = Object.entries(presets[kind] ?? {}).map(([preset, time]) => {
    const label = document.createElement("label");
    label.innerHTML = `<input type="radio" name="preset"><span></span><small></small>`;
    Object.assign(label.firstChild, { value: preset, checked: preset === chosen });
    label.children[1].textContent = preset;
    label.children[2].textContent = time;
    return label;
  });
  $("presets").replaceChildren($("presets").firstElementChild, ...labels);
}

function renderSheets() {
  const items = set.drawings.map((one, i) => {
    const item = document.createElement("li"), button = document.createElement("button"), canvas = document.createElement("canvas");
    button.setAttribute("aria-label", `Drawing ${i + 1} of ${set.drawings.length}`);
    button.setAttribute("aria-current", String(i === current));
    button.addEventListener("click", () => { current = i; render(); });
    button.append(canvas);
    item.append(button);
    new Paper(canvas, paper => one.strokes.forEach(({ x, y }) => paper.line(x.map((value, k) => [value, y[k]]), colour("ink"), 1)));
    return item;
  });
  $("sheets").replaceChildren(...(items.length > 1 ? items : []));
}

function render() {
  const strokes = drawing().strokes;
  show("hint", !strokes.length && !growing);
  $("undo").disabled = $("clear").disabled = !strokes.length;
  $("add").disabled = !strokes.length;
  $("junction").disabled = !strokes.length;
  $("junction").setAttribute("aria-pressed", String(marking));
  $("junction").textContent = marking ? "Tap the junction" : set.junction ? "Remove junction" : "Mark junction";
  renderSheets();
  renderProgress();
  Object.values(papers).forEach(paper => paper.repaint());
}

function paintDrawing(paper) {
  const strokes = drawing().strokes.concat(growing ? [growing] : []);
  const asSeen = $("seen").checked && seen && !growing;
  paper.strokes(strokes, colour(asSeen ? "ghost" : "ink"));
  if (asSeen) {
    seen.lines.forEach((line, i) => {
      const ink = hue(seen.shapes[i]);
      paper.line(line, ink, 1);
      line.forEach(([x, y]) => paper.dot(x, y, 1.8, ink));
    });
  }
  if (set.junction && set.junction.drawing === current) paper.cross(set.junction.x, set.junction.y, colour("wrong"));
}

function onPaper(stroke, ended) {
  if (marking) {
    if (!ended) return;
    marking = false;
    set.junction = { drawing: current, x: stroke.x.at(-1), y: stroke.y.at(-1) };
    return changed();
  }
  growing = ended ? null : stroke;
  if (!ended) {
    show("hint", false);
    return papers.paper.repaint();
  }
  drawing().strokes.push(stroke);
  changed();
}

// --- training ---

const duration = seconds => (seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`);
const busy = () => ["starting", "running"].includes(progress.state);

async function watch() {
  const of = name;
  try {
    const found = await ask(`/progress?name=${encodeURIComponent(of)}`);
    if (away) complain(null);
    if (of === name) {
      progress = found;
      renderProgress();
      if (found.checkpoint && found.checkpoint !== sampled) await sample(found.checkpoint);
    }
  } catch (error) {
    complain(error);
  }
  setTimeout(watch, document.hidden ? 4 * ASK_EVERY : ASK_EVERY);
}

async function sample(checkpoint) {
  sampled = checkpoint;
  const of = name;
  const found = await ask("/continue", { name: of, strokes: [], n: 1, steps: 400, seed: 1 });
  if (of !== name) return;
  papers.sample.lines = found.futures[0];
  $("sofar").textContent = busy() ? `After ${progress.step} steps` : "What the model draws";
  papers.sample.repaint();
  if (!model || model.name !== of) {
    model = { name: of, ...await ask(`/model?name=${encodeURIComponent(of)}`) };
    renderLabels();
  }
  renderProgress();
  papers.further.repaint();
}

function renderProgress() {
  const { state, step, steps, seconds_left: left, says, elbo = [] } = progress;
  const at = `step ${step} of ${steps}`, last = elbo.length ? `, ELBO ${elbo.at(-1)[1].toFixed(2)}` : "";
  const words = {
    none: "Draw something, then train.",
    starting: step ? "Scoring what it draws…" : "Starting. The first time, kernels are compiled: up to a minute.",
    running: !step ? "Preparing…" : step >= steps ? "Trained. Scoring what it draws…" : `${at}${last}${left === null ? "" : `, ${duration(left)} left`}`,
    finished: `Finished after ${steps} steps${last}.`,
    stopped: `Stopped at ${at}.`,
    interrupted: `Interrupted at ${at}: it continues from its last checkpoint.`,
    failed: says,
  };
  $("progress").textContent = words[state] ?? state;
  $("run").textContent = state === "none" ? "" : progress.run;
  show("bar", state !== "none" && state !== "failed");
  if (steps) $("bar").value = (step ?? 0) / steps;
  show("start", !busy());
  $("start").disabled = !drawn();
  show("stop", busy());
  show("resume", ["stopped", "interrupted"].includes(state));
  show("on", Boolean(model && model.name === name));
  papers.chart.repaint();
}

const act = path => tried(async more => {
  await save();
  progress = await ask(path, { name, ...more });
  if (path === "/train") [sampled, model, futures, beginning] = [null, null, [], []];
  render();
});

// --- drawing on ---

function renderLabels() {
  show("labels", model.labels.length > 0);
  $("labels").replaceChildren($("labels").firstElementChild, ...model.labels.map((label, i) => {
    const choice = document.createElement("label");
    choice.innerHTML = `<input type="radio" name="label"><span></span>`;
    Object.assign(choice.firstChild, { value: label, checked: i === 0 });
    choice.children[1].textContent = label;
    return choice;
  }));
}

const further = tried(async () => {
  const number = ++asked;
  $("thinking").textContent = "…";
  const label = document.querySelector("[name=label]:checked")?.value ?? null;
  const options = { n: +$("futures").value, steps: +$("steps").value, temperature: +$("temperature").value, label, seed };
  try {
    const found = await ask("/continue", { name, strokes: beginning, ...options });
    if (number !== asked) return; // another stroke has begun meanwhile
    futures = found.futures;
    unroll();
  } finally {
    if (number === asked) $("thinking").textContent = "";
  }
});

function unroll() {
  const begun = performance.now(), longest = Math.max(1, ...futures.map(lines => lines.reduce((sum, line) => sum + line.length, 0)));
  const frame = now => {
    shown = still ? Infinity : (now - begun) / 1500 * longest;
    papers.further.repaint();
    if (shown < longest) requestAnimationFrame(frame); else shown = Infinity;
  };
  requestAnimationFrame(frame);
}

function paintFurther(paper) {
  if (model) model.example.forEach(line => paper.line(line, colour("ghost"), 1.5));
  futures.forEach((lines, i) => {
    let left = shown;
    for (const line of lines) {
      if (left < 1) break;
      paper.line(line, hue(i), 2, left);
      left -= line.length;
    }
  });
  paper.strokes(beginning, colour("ink"));
}

function onFurther(stroke, ended) {
  show("begin", false);
  if (beginning.at(-1) !== stroke) {
    // A second stroke goes on where models lift the pen; else a new beginning replaces the old one.
    beginning = model?.form === "strokes" && !futures.length ? [...beginning, stroke] : [stroke];
    futures = [];
    asked++;
  }
  papers.further.repaint();
  if (ended) further();
}

// --- begin ---

const papers = {
  paper: new Paper($("paper"), paintDrawing),
  chart: new Paper($("chart"), paper => progress.steps && paper.chart({ [hue(0)]: progress.elbo, [hue(1)]: progress.val_elbo }, progress.steps)),
  sample: new Paper($("sample"), paper => paper.lines?.forEach(line => paper.line(line, colour("ink"), 1.8))),
  further: new Paper($("further"), paintFurther),
};
new Pen($("paper"), onPaper);
new Pen($("further"), onFurther);

$("undo").addEventListener("click", () => { drawing().strokes.pop(); changed(); });
$("clear").addEventListener("click", () => {
  const others = set.drawings.length > 1;
  if (set.junction?.drawing === current) set.junction = null;
  else if (set.junction?.drawing > current && others) set.junction.drawing--;
  if (others) set.drawings.splice(current, 1); else drawing().strokes = [];
  current = Math.min(current, set.drawings.length - 1);
  changed();
});
$("add").addEventListener("click", () => { current = set.drawings.push({ strokes: [] }) - 1; changed(); });
$("junction").addEventListener("click", () => {
  if (set.junction && !marking) {
    set.junction = null;
    return changed();
  }
  marking = !marking;
  render();
});
$("seen").addEventListener("change", () => papers.paper.repaint());
$("kinds").addEventListener("change", event => { set.kind = event.target.value || null; changed(); });
$("name").addEventListener("change", tried(async event => {
  if (!event.target.value || !event.target.checkValidity()) throw new Error("The name of a set has 1 to 40 letters, digits, _ and -.");
  await save();
  await load(event.target.value);
}));
$("start").addEventListener("click", () => act("/train")({ preset: document.querySelector("[name=preset]:checked").value }));
$("stop").addEventListener("click", () => act("/stop")({}));
$("resume").addEventListener("click", () => act("/resume")({}));
$("again").addEventListener("click", () => { seed++; further(); });
$("alone").addEventListener("click", () => { beginning = []; show("begin", false); seed++; further(); });
$("wipe").addEventListener("click", () => { [beginning, futures] = [[], []]; asked++; show("begin", true); papers.further.repaint(); });
for (const [slider, output] of [["temperature", "heat"], ["futures", "many"], ["steps", "far"]]) {
  const value = () => { $(output).textContent = slider === "temperature" ? (+$(slider).value).toFixed(1) : $(slider).value; };
  $(slider).addEventListener("input", value);
  $(slider).addEventListener("change", () => { if (futures.length) further(); });
}
$("labels").addEventListener("change", () => { show("begin", false); further(); });
addEventListener("keydown", event => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && event.target.tagName !== "INPUT" && !$("undo").disabled) $("undo").click();
});

await tried(load)(location.hash.slice(1));
if (given) {
  show("draw", false);
  show("train", false);
  document.querySelector(".set").hidden = true;
  $("given").textContent = given;
  show("given", true);
  $("third").hidden = true;
}
watch();
