// A client of the claude-comm gateway for browsers and Node (22 and later): one module, no dependencies.
//
// Law: nothing is lost in silence. A subscription goes on where it was after a lost connection; what the gateway no
// longer has is told to `onGap`. A message is handed over once for each of its ids, however often it arrives.

/**
 * @typedef {object} Options
 * @property {string} [token] as `claude-comm module add` printed it; in a browser that has logged in, none
 * @property {typeof WebSocket} [WebSocket] another implementation
 * @property {number} [retryMs] the first wait before connecting again; it doubles up to 5 s
 * @property {(error: Error) => void} [onError] what no call of yours waits for
 *
 * @typedef {object} Message a CloudEvent
 * @property {string} id
 * @property {string} source
 * @property {string} type
 * @property {string} target
 * @property {string} time
 * @property {any} [data]
 * @property {string} [data_base64]
 * @property {string} [session]
 * @property {string} [delivery] of an inbox: what `ack` and `reply` are told
 * @property {number} [attempts]
 *
 * @typedef {object} Outgoing
 * @property {string} target a module, or topic:NAME
 * @property {any} [data]
 * @property {string} [type]
 * @property {string} [session]
 *
 * @typedef {object} What one of inbox, topic, session and feed
 * @property {string} [inbox] the own module's name
 * @property {string[]} [topics] read with the inbox
 * @property {string} [name] of an inbox's instance: another client may take it over
 * @property {number} [credit] deliveries of an inbox that may be open at once
 * @property {string} [topic]
 * @property {string} [session]
 * @property {boolean} [feed]
 * @property {"new" | "oldest"} [start]
 * @property {Record<string, string>} [after] positions of an earlier subscription
 * @property {(missing: Record<string, number | null>) => void} [onGap] how many entries are gone, by stream
 *
 * @typedef {object} Subscription
 * @property {Record<string, string>} positions where it is, by stream: what `after` takes
 * @property {() => Promise<void>} close
 */

/** What the gateway refused: `status`, `code`, and for a message `path`, `rule` and `witness`. */
export class Refused extends Error {
  /** @param {Record<string, any>} problem */
  constructor(problem) {
    super(problem.detail || problem.code);
    this.name = "Refused";
    this.status = problem.status;
    this.code = problem.code;
    this.path = problem.path;
    this.rule = problem.rule;
    this.witness = problem.witness;
    this.reasons = problem.reasons || [];
  }
}

const PROTOCOL = "claude-comm.v1";
const MOST_WAIT_MS = 5000;
// Ids by which a message that comes again is known.
const REMEMBERED = 10000;
// Closes that connecting again does not mend: nobody is known, and another client has the subscription.
const FINAL = new Set([4001, 4009]);

/**
 * Connects. Rejects when the token does not count.
 * @param {string} url of the gateway: http://127.0.0.1:8765
 * @param {Options} [options]
 * @returns {Promise<Connection>}
 */
export async function connect(url, options = {}) {
  const connection = new Connection(url, options);
  await connection.ready();
  return connection;
}

export class Connection {
  /** @param {string} url @param {Options} options */
  constructor(url, options) {
    this.url = new URL("/v1/socket", url);
    this.url.protocol = this.url.protocol.replace("http", "ws");
    this.options = options;
    this.module = "";
    this._refs = 0;
    this._subs = 0;
    this._waiting = new Map();
    this._subscriptions = new Map();
    this._closed = false;
    this._retryMs = options.retryMs || 100;
    this._wait = this._retryMs;
    this._defer();
    this._open();
  }

  /** Resolves when the gateway has greeted. */
  ready() {
    return this._greeted;
  }

  /**
   * Sends one message; its id. Rejects with `Refused`, or when the connection broke: then it may have been sent.
   * @param {Outgoing} message
   * @returns {Promise<string>}
   */
  async publish(message) {
    const [result] = await this.publishMany([message]);
    if (result instanceof Refused) throw result;
    return result;
  }

  /**
   * Sends some in one frame; for each its id, or why it was refused.
   * @param {Outgoing[]} messages
   * @returns {Promise<(string | Refused)[]>}
   */
  async publishMany(messages) {
    const frame = await this._ask({ kind: "publish", messages });
    return frame.results.map((/** @type {any} */ result) => (result.error ? new Refused(result.error) : result.id));
  }

  /**
   * Sends a message and waits for the reply to it.
   * @param {Outgoing} message
   * @param {number} [timeoutS]
   * @returns {Promise<any>}
   */
  async request(message, timeoutS = 10) {
    return (await this._ask({ kind: "request", message, timeout_s: timeoutS })).data;
  }

  /**
   * Follows a feed, or reads an inbox. What an inbox hands over is acked once `handle` has returned; a value that it
   * returns is the reply to a request, and what it throws sends the message back, to come again.
   * @param {What} what
   * @param {(message: Message) => any} handle called with one message after the other
   * @returns {Promise<Subscription>}
   */
  async subscribe(what, handle) {
    const { onGap, after = {}, ...asked } = what;
    const sub = `s${++this._subs}`;
    const state = { sub, asked, onGap, handle, positions: { ...after }, seen: new Set(), chain: Promise.resolve() };
    this._subscriptions.set(sub, state);
    try {
      await this._subscribe(state);
    } catch (error) {
      this._subscriptions.delete(sub);
      throw error;
    }
    return {
      get positions() {
        return { ...state.positions };
      },
      close: async () => {
        this._subscriptions.delete(sub);
        if (!this._closed) await this._ask({ kind: "unsubscribe", sub });
      },
    };
  }

  /** How many deliveries of an inbox may be open at once from now on. @param {string} sub @param {number} count */
  credit(sub, count) {
    this._say({ kind: "credit", sub, count });
  }

  /** Ends the connection; nothing is connected again. */
  close() {
    this._closed = true;
    this._fail(new Error("this connection was closed"));
    this._socket.close();
  }

  _open() {
    const Socket = this.options.WebSocket || globalThis.WebSocket;
    this._socket = new Socket(this.url, [PROTOCOL]);
    this._socket.onopen = () => this._say({ kind: "hello", token: this.options.token || "" });
    this._socket.onmessage = (/** @type {MessageEvent} */ event) => this._hear(JSON.parse(event.data));
    this._socket.onclose = (/** @type {CloseEvent} */ event) => this._lost(event);
    this._socket.onerror = () => {};
  }

  /** A promise of the next greeting: it outlasts connections that come to nothing. */
  _defer() {
    this._isGreeted = false;
    this._greeted = new Promise((resolve, reject) => {
      this._greet = resolve;
      this._refuse = reject;
    });
    this._greeted.catch(() => {});
  }

  /** @param {any} frame */
  _hear(frame) {
    if (frame.kind === "welcome") {
      this.module = frame.module;
      this._wait = this._retryMs;
      this._isGreeted = true;
      this._greet(undefined);
    } else if (frame.kind === "deliver") {
      this._deliver(frame);
    } else if (frame.kind === "goodbye") {
      this._wait = frame.retry_s * 1000;
    } else if (this._waiting.has(frame.ref)) {
      const { resolve, reject } = this._waiting.get(frame.ref);
      this._waiting.delete(frame.ref);
      if (frame.kind === "error") reject(new Refused(frame));
      else resolve(frame);
    } else if (frame.kind === "error") {
      const error = new Refused(frame);
      this._refuse(error);
      if (frame.code !== "too_slow") this._tell(error);
    }
  }

  /** @param {any} frame */
  _deliver(frame) {
    const state = this._subscriptions.get(frame.sub);
    if (!state) return;
    state.chain = state.chain.then(async () => {
      for (const message of frame.messages) await this._handle(state, message);
      Object.assign(state.positions, frame.positions);
    });
  }

  /** @param {any} state @param {Message} message */
  async _handle(state, message) {
    const identity = `${message.source} ${message.id}`;
    try {
      if (!state.seen.has(identity)) {
        const reply = await state.handle(message);
        remember(state.seen, identity);
        if (message.delivery && reply !== undefined) {
          this._say({ kind: "reply", sub: state.sub, delivery: message.delivery, data: reply });
          return;
        }
      }
      if (message.delivery) this._say({ kind: "ack", sub: state.sub, deliveries: [message.delivery] });
    } catch (error) {
      if (message.delivery) this._say({ kind: "retry", sub: state.sub, delivery: message.delivery, reason: String(error) });
      this._tell(error);
    }
  }

  /** @param {any} state */
  async _subscribe(state) {
    await state.chain;
    const answer = await this._ask({ kind: "subscribe", sub: state.sub, after: state.positions, ...state.asked });
    for (const [stream, position] of Object.entries(answer.positions || {})) state.positions[stream] ||= position;
    if (answer.missing && Object.keys(answer.missing).length) {
      Object.assign(state.positions, answer.positions);
      if (state.onGap) state.onGap(answer.missing);
    }
  }

  /** @param {any} frame @returns {Promise<any>} */
  async _ask(frame) {
    await this._greeted;
    const ref = ++this._refs;
    return new Promise((resolve, reject) => {
      this._waiting.set(ref, { resolve, reject });
      this._say({ ...frame, ref });
    });
  }

  /** @param {any} frame */
  _say(frame) {
    if (this._socket.readyState === 1) this._socket.send(JSON.stringify(frame));
  }

  /** @param {CloseEvent} event */
  _lost(event) {
    const error = new Error(`the connection to the gateway was lost (${event.code} ${event.reason})`);
    this._fail(error);
    if (this._closed || FINAL.has(event.code)) {
      this._closed = true;
      this._refuse(error);
      return;
    }
    if (this._isGreeted) {
      this._defer();
      this._greeted.then(() => this._again(), () => {});
    }
    setTimeout(() => {
      if (!this._closed) this._open();
    }, this._wait);
    this._wait = Math.min(this._wait * 2, MOST_WAIT_MS);
  }

  async _again() {
    for (const state of this._subscriptions.values()) {
      try {
        await this._subscribe(state);
      } catch (error) {
        if (error instanceof Refused) this._tell(error);
        else return; // lost once more: the next connection does it
      }
    }
  }

  /** @param {Error} error */
  _fail(error) {
    for (const { reject } of this._waiting.values()) reject(error);
    this._waiting.clear();
  }

  /** @param {any} error */
  _tell(error) {
    if (this.options.onError) this.options.onError(error);
  }
}

/** @param {Set<string>} seen @param {string} identity */
function remember(seen, identity) {
  seen.add(identity);
  if (seen.size > REMEMBERED) seen.delete(seen.values().next().value || "");
}
