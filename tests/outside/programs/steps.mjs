// Runs a list of steps and prints one JSON line for each; a failed step does not hide the next one.

let failed = 0;

/** Run one step; what it returns is printed beside its name, what it throws is its failure. */
export async function step(name, work) {
  const line = { step: name };
  try {
    line.got = (await work()) ?? "ok";
    line.ok = true;
  } catch (trouble) {
    line.ok = false;
    line.got = `${trouble.name ?? "Error"}: ${trouble.message ?? trouble}`;
    if (trouble.cause) line.cause = await inWords(trouble.cause);
    failed += 1;
  }
  console.log(JSON.stringify(line));
}

async function inWords(cause) {
  if (cause instanceof Response) return `${cause.status} ${cause.bodyUsed ? "" : await cause.text()}`;
  return cause instanceof URLSearchParams ? String(cause) : (cause.message ?? JSON.stringify(cause));
}

export function expect(truth, otherwise) {
  if (!truth) throw new Error(otherwise);
}

/** The error code that `work` is refused with; it is a failure when nothing is refused. */
export async function refusal(work) {
  let given;
  try {
    given = await work();
  } catch (trouble) {
    if (trouble.error !== undefined) return { error: trouble.error, status: trouble.status };
    throw trouble;
  }
  throw new Error(`should have been refused, got ${JSON.stringify(given)}`);
}

/** Ask again until `test` holds, for as many milliseconds as a guard may be stale. */
export async function before(milliseconds, test) {
  const end = Date.now() + milliseconds;
  while (Date.now() < end) {
    if (await test()) return milliseconds - (end - Date.now());
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`still not so after ${milliseconds} ms`);
}

export function finish() {
  process.exitCode = failed ? 1 : 0;
}
