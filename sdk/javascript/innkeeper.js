// What a handler in JavaScript needs: JSON in and out, failures as exceptions, events, the log, what is kept and configured.
//
//     import { plugin } from 'innkeeper';
//
//     export const handler = plugin((event, data) => ({ hello: data.name }));
//
// A component imports what its bundle uses of this, and nothing else. Other servers are asked with the standard `fetch`.

import { current, progress as hostProgress, traceparent as hostTraceparent } from 'innkeeper:plugin/context@0.1.0';
import { publish as publishText } from 'innkeeper:plugin/events@0.1.0';
import { get as configured } from 'wasi:config/store@0.2.0-rc.1';
import { Cas, increment, swap } from 'wasi:keyvalue/atomics@0.2.0-draft2';
import { open as openBucket } from 'wasi:keyvalue/store@0.2.0-draft2';
import { log as hostLog } from 'wasi:logging/logging';

/** The work may succeed later: after so many seconds, if they are given, and as the task's policy says. */
export class Retry extends Error {
  constructor(message, { after } = {}) {
    super(message);
    this.after = after;
  }
}

/** The work can never succeed: the run ends as failed at once. */
export class Permanent extends Error {}

/** An event was refused: its name or its data cannot be, or there are too many. It has no effect. */
export class PublishError extends Error {
  name = 'PublishError';
}

/**
 * Makes the plugin's handler of a function of the event's name (`undefined` if there is none) and whatever JSON came along.
 * What it returns, or what its promise comes to, is the output, if it is not `undefined`. What it throws is a failure that
 * may be retried, unless it is a `Permanent`. To be exported under the name `handler`.
 */
export function plugin(run) {
  return {
    async handle(event, data) {
      try {
        const result = await run(event, data === undefined ? undefined : JSON.parse(data));
        return result === undefined ? undefined : JSON.stringify(result);
      } catch (error) {
        throw failure(error);
      }
    },
  };
}

function failure(error) {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Permanent) {
    return { tag: 'permanent', val: message };
  }
  if (error instanceof Retry && error.after !== undefined) {
    return { tag: 'retry-after', val: [BigInt(Math.round(error.after * 1000)), message] };
  }
  if (!(error instanceof Retry)) {
    log.error(error?.stack ? `${error}\n${error.stack}` : message);
    return { tag: 'retry', val: `${error?.name ?? 'Error'}: ${message}` };
  }
  return { tag: 'retry', val: message };
}

/**
 * The execution that this call is: `runId` (the same for every attempt of a run), `executionId`, `taskId`, `attempt`,
 * `maxAttempts`, `scheduledAt` (`undefined` unless a schedule started it), `startedAt`, `deadline`, `metadata` (JSON text),
 * `tenant`, `pluginDigest`.
 */
export const execution = () => current();

/** Where the execution stands in a trace, as a value for the header `traceparent`; the host adds it to outgoing requests. */
export const traceparent = () => hostTraceparent();

/** Tells how far the handler is, from 0 to 1, and what it is doing, for people who look at the execution while it runs. */
export const progress = (fraction, note = '') => hostProgress(fraction, note);

/** The task's metadata, or `undefined`. */
export function metadata() {
  const text = current().metadata;
  return text === undefined ? undefined : JSON.parse(text);
}

/** Publishes an event, which takes place if the execution succeeds. Throws a `PublishError` if it is refused. */
export function publish(event, data) {
  try {
    publishText(event, data === undefined ? undefined : JSON.stringify(data));
  } catch (error) {
    throw new PublishError(error?.payload?.val ?? String(error));
  }
}

const at = (level) => (message) => hostLog(level, '', String(message));

/** Writes to the execution's log. */
export const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };

/** Settings and secrets that the tenant has configured. Each needs a grant: `innkeeper plugin allow NAME config=KEY`. */
export const config = {
  /** The value under `key`; `undefined` if there is none, or if it is not granted: the log tells the two apart. */
  get: (key) => asked(() => configured(key)),

  /** The value under `key`, without which the handler cannot do its work: it fails for good, and says how to set it. */
  require(key) {
    const value = config.get(key);
    if (value === undefined) {
      throw new Permanent(
        `the configuration key \`${key}\` has no value for this plugin: set it with \`innkeeper config set ${key}\` and ` +
          `grant it with \`innkeeper plugin allow NAME config=${key}\``,
      );
    }
    return value;
  },
};

/**
 * What is kept from one execution to the next: the tenant's key-value store. Each bucket needs a grant:
 * `innkeeper plugin allow NAME kv=BUCKET`.
 *
 * What is written is an effect: an execution sees its own writes at once, everybody else sees them when it has succeeded, all
 * together; if it fails, nothing was written.
 */
export const kv = {
  /** The bucket of this name. One that nobody has written to yet is empty. Throws a `Permanent` if it is not granted. */
  open: (name) => new Bucket(asked(() => openBucket(name), name), name),
};

/** An open bucket. Keys are 1 to 256 bytes of text without control characters, values at most 1 MiB. */
class Bucket {
  #bucket;
  #name;

  constructor(bucket, name) {
    this.#bucket = bucket;
    this.#name = name;
  }

  /** The value under `key` as a `Uint8Array`, or `undefined`. */
  get(key) {
    return this.#do((bucket) => bucket.get(key));
  }

  /** The value under `key` as text, or `undefined`. */
  getText(key) {
    const value = this.get(key);
    return value === undefined ? undefined : new TextDecoder().decode(value);
  }

  /** The value under `key`, read from JSON, or `undefined`. */
  getJson(key) {
    const text = this.getText(key);
    return text === undefined ? undefined : this.#read(key, text);
  }

  /** Puts a value, text or bytes, under `key`. */
  set(key, value) {
    this.#do((bucket) => bucket.set(key, bytes(value)));
  }

  /** Puts a value under `key`, written as JSON. */
  setJson(key, value) {
    this.set(key, JSON.stringify(value));
  }

  /** Deletes `key`. One that is not there is as good. */
  delete(key) {
    this.#do((bucket) => bucket.delete(key));
  }

  /** Whether `key` is there. */
  has(key) {
    return this.#do((bucket) => bucket.exists(key));
  }

  /** The keys that begin with `prefix`, in order; at most `limit`. */
  list(prefix = '', limit = Infinity) {
    const found = [];
    let cursor;
    do {
      const page = this.#do((bucket) => bucket.listKeys(cursor));
      found.push(...page.keys.filter((key) => key.startsWith(prefix)));
      const last = page.keys.at(-1);
      const isPast = last !== undefined && last > prefix && !last.startsWith(prefix);
      cursor = isPast ? undefined : page.cursor;
    } while (cursor !== undefined && found.length < limit);
    return found.slice(0, limit);
  }

  /**
   * Adds to the number under `key` and gives the sum, as this execution sees it; what is not there counts as 0. Additions of
   * executions that run at the same time add up: none of them is lost or has to be done again. A sum that a number cannot hold
   * exactly is given as a `bigint`.
   */
  increment(key, delta = 1) {
    const sum = this.#do((bucket) => increment(bucket, key, BigInt(delta)));
    return Number.isSafeInteger(Number(sum)) ? Number(sum) : sum;
  }

  /**
   * Puts `next` under `key` if its value is `expected` (`undefined`: there is none), and says whether it did. That is looked
   * at again when the execution succeeds: if somebody else was faster it fails as `conflict`, nothing of it takes place, and
   * it is attempted again at once, without using up an attempt.
   */
  compareAndSwap(key, expected, next) {
    const cas = this.#do((bucket) => Cas.new(bucket, key));
    const seen = this.#do(() => cas.current());
    if (!isSame(seen, expected === undefined ? undefined : bytes(expected))) {
      return false;
    }
    try {
      swap(cas, bytes(next));
      return true;
    } catch (error) {
      if (error?.payload?.tag === 'cas-failed') {
        return false;
      }
      throw translated(error?.payload?.val, this.#name) ?? error;
    }
  }

  /**
   * Puts what `change` makes of the value under `key` (or of `undefined`) there, so that nobody's change is lost. Values are
   * JSON. `change` is called again if the value is another one by then. Gives what is there now.
   */
  updateJson(key, change) {
    for (;;) {
      const seen = this.get(key);
      const next = change(seen === undefined ? undefined : this.#read(key, new TextDecoder().decode(seen)));
      if (this.compareAndSwap(key, seen, JSON.stringify(next))) {
        return next;
      }
    }
  }

  #do(operation) {
    return asked(() => operation(this.#bucket), this.#name);
  }

  #read(key, text) {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Retry(`the value under ${JSON.stringify(key)} in the bucket ${this.#name} is no JSON: ${error.message}`);
    }
  }
}

/**
 * An answer of `fetch` if its status is from 200 to 299. Else throws: a `Retry` for 408, 425, 429 and from 500 on, not before
 * `Retry-After` has passed, and a `Permanent` for all others.
 */
export async function expectSuccess(response) {
  if (response.ok) {
    return response;
  }
  const { status } = response;
  const text = await response.text();
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text || 'nothing';
  const message = `${response.url.split(/[?#]/)[0]} answered ${status}: ${shown}`;
  if ([408, 425, 429].includes(status) || status >= 500) {
    throw new Retry(message, { after: retryAfter(response.headers) });
  }
  throw new Permanent(message);
}

/** How many seconds a server asks to wait, `undefined` if it does not. A time is compared with the server's own. */
function retryAfter(headers) {
  const text = headers.get('retry-after')?.trim() ?? '';
  if (/^\d+$/.test(text)) {
    return Number(text);
  }
  const seconds = (Date.parse(text) - Date.parse(headers.get('date') ?? '')) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}

/** What the host does, with its refusal as an exception that says what was wrong. */
function asked(operation, bucket) {
  try {
    return operation();
  } catch (error) {
    throw translated(error?.payload, bucket) ?? error;
  }
}

function translated(refusal, bucket) {
  if (refusal?.tag === 'access-denied') {
    return new Permanent(`the bucket \`${bucket}\` is not granted: \`innkeeper plugin allow NAME kv=${bucket}\` does that`);
  }
  if (refusal?.tag === 'no-such-store') {
    return new Permanent(`no bucket can be called \`${bucket}\`: 1 to 100 ASCII letters, digits and \`-_.:\` are allowed`);
  }
  return typeof refusal?.val === 'string' ? new Retry(refusal.val) : undefined;
}

function bytes(value) {
  return typeof value === 'string' ? new TextEncoder().encode(value) : value;
}

function isSame(one, other) {
  if (one === undefined || other === undefined) {
    return one === other;
  }
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
