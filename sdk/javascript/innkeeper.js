// What a handler in JavaScript needs: JSON in and out, failures as exceptions, events, the log.
//
//     import { plugin } from 'innkeeper';
//
//     export const handler = plugin((event, data) => ({ hello: data.name }));

import { current, traceparent as hostTraceparent } from 'innkeeper:plugin/context@0.1.0';
import { publish as publishText } from 'innkeeper:plugin/events@0.1.0';
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
    log.error(error?.stack ?? message);
    return { tag: 'retry', val: `${error?.name ?? 'Error'}: ${message}` };
  }
  return { tag: 'retry', val: message };
}

/** The execution that this call is: `runId`, `taskId`, `attempt`, `scheduledAt` and so on. */
export const execution = () => current();

/** Where the execution stands in a trace, as a value for the header `traceparent`; the host adds it to outgoing requests. */
export const traceparent = () => hostTraceparent();

/** The task's metadata, or `undefined`. */
export function metadata() {
  const text = current().metadata;
  return text === undefined ? undefined : JSON.parse(text);
}

/** Publishes an event, which takes place if the execution succeeds. */
export function publish(event, data) {
  publishText(event, data === undefined ? undefined : JSON.stringify(data));
}

const at = (level) => (message) => hostLog(level, '', String(message));

/** Writes to the execution's log. */
export const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
