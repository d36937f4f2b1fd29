/**
 * .proto text (proto2, proto3, editions) as it is written: declarations without their names resolved. What says nothing about
 * a message's bytes (services, extensions, most options) is read over.
 *
 * Source: the Protocol Buffers Language Specification. Cost: one pass over the text.
 */

import { notSupported } from '../../base/sql-error.ts';
import { ProtoTokens } from './proto-tokens.ts';

export interface RawFile {
  readonly syntax: 'proto2' | 'proto3' | 'edition';
  /** '' for none. */
  readonly packageName: string;
  readonly options: ReadonlyMap<string, string>;
  readonly messages: readonly RawMessage[];
  readonly enums: readonly RawEnum[];
}

export interface RawMessage {
  readonly name: string;
  readonly isMapEntry: boolean;
  readonly fields: RawField[];
  readonly messages: RawMessage[];
  readonly enums: RawEnum[];
}

export interface RawEnum {
  readonly name: string;
  readonly values: readonly (readonly [name: string, number: number])[];
}

export interface RawField {
  readonly label: 'none' | 'optional' | 'required' | 'repeated';
  readonly typeName: string;
  readonly name: string;
  readonly number: number;
  readonly oneof: string | null;
  readonly options: ReadonlyMap<string, string>;
}

/** Statements of a message that say nothing about its bytes. */
const SKIPPED: ReadonlySet<string> = new Set(['option', 'reserved', 'extensions']);
/** How deep messages may be declared in each other. */
const DEPTH_MAX = 32;

/** 22023 with the line where the text is wrong. */
export function readProto(text: string): RawFile {
  return new ProtoReader(text).file();
}

class ProtoReader {
  readonly #tokens: ProtoTokens;

  constructor(text: string) {
    this.#tokens = new ProtoTokens(text);
  }

  file(): RawFile {
    const tokens = this.#tokens;
    let syntax: RawFile['syntax'] = 'proto2';
    let packageName = '';
    const options = new Map<string, string>();
    const messages: RawMessage[] = [];
    const enums: RawEnum[] = [];
    while (!tokens.isAtEnd) {
      const word = tokens.take();
      if (word === 'syntax' || word === 'edition') syntax = this.#syntax(word);
      else if (word === 'package') {
        packageName = this.#dottedName();
        tokens.expect(';');
      } else if (word === 'import') tokens.skipStatement();
      else if (word === 'option') this.#option(options);
      else if (word === 'message') messages.push(this.#message(0));
      else if (word === 'enum') enums.push(this.#enum());
      else if (word === 'service' || word === 'extend') tokens.skipBlock();
      else if (word !== ';') throw tokens.unexpected(word);
    }
    return { syntax, packageName, options, messages, enums };
  }

  #syntax(word: string): RawFile['syntax'] {
    const tokens = this.#tokens;
    tokens.expect('=');
    const name = tokens.string();
    tokens.expect(';');
    if (word === 'edition') return 'edition';
    if (name === 'proto2' || name === 'proto3') return name;
    throw tokens.unexpected(`"${name}"`);
  }

  #message(depth: number): RawMessage {
    const tokens = this.#tokens;
    const name = tokens.identifier();
    if (depth > DEPTH_MAX) throw tokens.failed('messages are nested too deeply');
    const message: RawMessage = { name, isMapEntry: false, fields: [], messages: [], enums: [] };
    tokens.expect('{');
    while (!tokens.takeIf('}')) this.#member(message, depth);
    return message;
  }

  #member(message: RawMessage, depth: number): void {
    const tokens = this.#tokens;
    const word = tokens.peek();
    if (word === ';') tokens.take();
    else if (word === 'message') {
      tokens.take();
      message.messages.push(this.#message(depth + 1));
    } else if (word === 'enum') {
      tokens.take();
      message.enums.push(this.#enum());
    } else if (word === 'oneof') this.#oneof(message);
    else if (word === 'map' && tokens.peekBehind() === '<') this.#map(message);
    else if (word === 'extend') tokens.skipBlock();
    else if (SKIPPED.has(word)) tokens.skipStatement();
    else message.fields.push(this.#field(this.#label(), null));
  }

  #label(): RawField['label'] {
    const tokens = this.#tokens;
    const word = tokens.peek();
    if (word !== 'optional' && word !== 'required' && word !== 'repeated') return 'none';
    tokens.take();
    return word;
  }

  #field(label: RawField['label'], oneof: string | null): RawField {
    const tokens = this.#tokens;
    const typeName = this.#dottedName();
    if (typeName === 'group') throw notSupported('a group in a Protobuf schema');
    const name = tokens.identifier();
    return { label, typeName, name, oneof, ...this.#numberAndOptions() };
  }

  #numberAndOptions(): { number: number; options: ReadonlyMap<string, string> } {
    const tokens = this.#tokens;
    tokens.expect('=');
    const number = tokens.integer();
    const options = new Map<string, string>();
    if (tokens.takeIf('[')) {
      do {
        this.#optionValue(options);
      } while (tokens.takeIf(','));
      tokens.expect(']');
    }
    tokens.expect(';');
    return { number, options };
  }

  #oneof(message: RawMessage): void {
    const tokens = this.#tokens;
    tokens.take();
    const name = tokens.identifier();
    tokens.expect('{');
    while (!tokens.takeIf('}')) {
      if (tokens.takeIf(';')) continue;
      if (tokens.peek() === 'option') tokens.skipStatement();
      else message.fields.push(this.#field('none', name));
    }
  }

  /** `map<K, V> name = 1;` is a repeated message of a key and a value. */
  #map(message: RawMessage): void {
    const tokens = this.#tokens;
    tokens.take();
    tokens.expect('<');
    const key = this.#dottedName();
    tokens.expect(',');
    const value = this.#dottedName();
    tokens.expect('>');
    const name = tokens.identifier();
    // protoc's name of it; a point keeps it apart from declared ones.
    const entry = `${name}.Entry`;
    const plain = { label: 'none', oneof: null, options: new Map<string, string>() } as const;
    message.messages.push({
      name: entry,
      isMapEntry: true,
      fields: [
        { ...plain, typeName: key, name: 'key', number: 1 },
        { ...plain, typeName: value, name: 'value', number: 2 },
      ],
      messages: [],
      enums: [],
    });
    message.fields.push({
      label: 'repeated',
      typeName: entry,
      name,
      oneof: null,
      ...this.#numberAndOptions(),
    });
  }

  #enum(): RawEnum {
    const tokens = this.#tokens;
    const name = tokens.identifier();
    const values: (readonly [string, number])[] = [];
    tokens.expect('{');
    while (!tokens.takeIf('}')) {
      const word = tokens.take();
      if (word === ';') continue;
      if ((word === 'option' || word === 'reserved') && tokens.peek() !== '=') {
        tokens.skipStatement();
        continue;
      }
      tokens.expect('=');
      values.push([word, tokens.integer()]);
      tokens.skipStatement();
    }
    return { name, values };
  }

  /** Behind `option`. */
  #option(options: Map<string, string>): void {
    this.#optionValue(options);
    this.#tokens.expect(';');
  }

  #optionValue(options: Map<string, string>): void {
    const tokens = this.#tokens;
    let name = '';
    while (!tokens.takeIf('=')) name += tokens.take();
    options.set(name, tokens.constant());
  }

  #dottedName(): string {
    const tokens = this.#tokens;
    let name = tokens.takeIf('.') ? '.' : '';
    name += tokens.identifier();
    while (tokens.takeIf('.')) name += `.${tokens.identifier()}`;
    return name;
  }
}
