// The page of `vivace clean`: the cleaner of notebooks, with its messages carried over HTTP.
import { render } from "/files/cleaner.js";

const find = (id) => document.getElementById(id);
const listeners = [];
let state = {};
let waiting = Promise.resolve();

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const answer = await fetch(path, options);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.detail ?? `the server said ${answer.status}`);
  return content;
}

function show(next) {
  for (const item of next.items) item.thumbnail = `/picture/${item.key}`;
  state = next;
  find("problem").hidden = true;
  const unread = next.n_unreadable ? `, ${next.n_unreadable} could not be read` : "";
  find("folder").textContent = `${next.folder}${unread}`;
  find("apply").disabled = next.n_delete + next.n_change === 0;
  find("undo-apply").disabled = !next.can_undo_apply;
  listeners.forEach((listener) => listener());
}

// One after the other, so that what is shown is the answer to the last request.
function send(path, body) {
  waiting = waiting.then(() => ask(path, body)).then(show, (error) => {
    find("problem").textContent = error instanceof TypeError ? "The server has ended: start `vivace clean` again. Your marks are kept." : error.message;
    find("problem").hidden = false;
  });
}

const model = {
  get: (name) => (name === "state" ? state : {}),
  on: (event, listener) => event === "change:state" && listeners.push(listener),
  send: (command) => send("/command", command),
};

find("apply").addEventListener("click", () => {
  const parts = [];
  if (state.n_delete) parts.push(`put ${state.n_delete} away`);
  if (state.n_change) parts.push(`move ${state.n_change} to another class`);
  find("question").textContent = `In ${state.folder}: ${parts.join(" and ")}?`;
  find("confirm").showModal();
});
find("confirm").addEventListener("close", () => find("confirm").returnValue === "yes" && send("/apply", {}));
find("undo-apply").addEventListener("click", () => send("/undo-apply", {}));
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && state.can_undo) {
    event.preventDefault();
    model.send({ do: "undo" });
  }
});

render({ model, el: find("cleaner") });
send("/state");
