import type { Random } from "../hammer/random.ts";
import { anyBytes, between, pick, repeat } from "./choice.ts";
import { type Corpus, pickMethod } from "./corpus.ts";
import { frame } from "./framing.ts";
import type { Header, HttpCall } from "./input.ts";
import { headersOf } from "./messages.ts";

type Tweak = (random: Random, headers: readonly Header[]) => Header[];

const timeouts = [
  "",
  "0",
  "1",
  "S",
  "0S",
  "1S",
  "1n",
  "1u",
  "0m",
  "50m",
  "99999999H",
  "99999999S",
  "100000000S",
  "-1S",
  "+1S",
  "1e3S",
  "5S5S",
  "1.5S",
  "0x10S",
  "1s",
  "1h",
  " 1S",
  "1S ",
  "1 S",
  "5S, 5S",
  "NaNS",
  "InfinityS",
  "\u00d9\u00a1S",
  "9".repeat(100),
  `${"9".repeat(100)}S`,
  "00000001H",
  "2147483647m",
  "596H",
  "597H",
  "undefined",
];
const encodings = ["gzip", "deflate", "identity", "br", "zstd", "", "x", "gzip,deflate", "IDENTITY", "a".repeat(5000)];
const contentTypes = [
  "application/grpc",
  "application/grpc+proto",
  "application/grpc+json",
  "application/grpc;charset=utf-8",
  "application/grpcfoo",
  "application/grpc-web",
  "application/grpc+",
  "APPLICATION/GRPC",
  "application/json",
  "text/html",
  "",
  "application/grpc, application/grpc",
  "application/grpc\u00ff",
];
const authorizations = [
  "Bearer",
  "Bearer ",
  "bearer  x",
  "Bearer a b",
  "Basic YTpi",
  "Basic",
  "Negotiate",
  "",
  "Bearer null",
  "Bearer .",
  "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
  "Bearer eyJhbGciOiJIUzI1NiJ9.e30.",
  "Bearer ..",
  "bEARER x",
  "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6Ii4uLy4uLyJ9.eyJleHAiOjFlOTk5fQ.AAAA",
  "Bearer \u00ff\u00fe",
  "Bearer x, Bearer y",
  `Bearer ${"a".repeat(10_000)}`,
  `Bearer ${"a.".repeat(5000)}`,
  `Bearer ${"=".repeat(64)}`,
  "Digest username=x",
];
const paths = [
  "/",
  "//",
  "/stele.v1.ModelRegistryService",
  "/stele.v1.ModelRegistryService/",
  "/stele.v1.ModelRegistryService/X",
  "/stele.v1.ModelRegistryService/GetVersion/",
  "/stele.v1.ModelRegistryService/GetVersion?x=1",
  "/a%00b%0d%0a/%ff",
  "/%E2%80%AE/x",
  "/__proto__",
  "/constructor/toString",
  "*",
  "no-slash",
  "/\u00ff\u00fe/\u00e9",
  "/ /x",
  "/a#b",
  `/${"a".repeat(20_000)}`,
  `/${"%41".repeat(2000)}`,
  "http://localhost/x",
  "/../../x",
  "/grpc.health.v1.Health/List",
];
const methods = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "post", "X", "PRI"];
const names = [
  "x",
  "x-bin",
  "__proto__",
  "constructor",
  "cookie",
  "grpc-status",
  "grpc-message",
  "grpc-tags-bin",
  "user-agent",
  "grpc-trace-bin",
  "grpc-previous-rpc-attempts",
  "grpc-status-details-bin",
  "x_.-1",
  "expect",
  "-bin",
  "content-encoding",
  "accept-encoding",
  "x-forwarded-for",
];
const connectionNames = ["connection", "upgrade", "transfer-encoding", "keep-alive", "proxy-connection", "host"];
const lengths = ["0", "1", "5", "-1", "99999999999999999999", "x", ""];

const tweaks: readonly Tweak[] = [
  (random, headers) => [...headers, ["grpc-timeout", pick(random, timeouts)]],
  (random, headers) => [...headers, ["grpc-encoding", pick(random, encodings)]],
  (random, headers) => [...headers, ["grpc-accept-encoding", pick(random, encodings)]],
  (random, headers) => replace(headers, "content-type", pick(random, contentTypes)),
  (random, headers) => replace(headers, ":path", pick(random, paths)),
  (random, headers) => replace(headers, ":method", pick(random, methods)),
  (random, headers) =>
    replace(headers, ":authority", pick(random, ["", "a:b@c", "[::1]:x", "\u00ff", "a".repeat(300)])),
  (random, headers) => replace(headers, ":scheme", pick(random, ["https", "ftp", "x"])),
  (random, headers) => [...headers, ["authorization", pick(random, authorizations)]],
  (random, headers) => [...headers, [pick(random, ["x-bin", "grpc-trace-bin"]), binaryValue(random)]],
  (random, headers) => [...headers, [pick(random, names), anyValue(random)]],
];
// What Node refuses to send, so that it goes to a connection of its own, and what costs all calls their connection.
const rareTweaks: readonly Tweak[] = [
  (random, headers) => replace(headers, "te", pick(random, ["", "gzip", "trailers, deflate", "TRAILERS"])),
  (random, headers) => [...headers, pick(random, headers)],
  (random, headers) => [...headers, ...repeat(between(random, 1, 4), () => authorization(random))],
  (random, headers) => [...headers, [pick(random, connectionNames), pick(random, ["", "close", "h2c", "chunked"])]],
  (random, headers) => [...headers, ["content-length", pick(random, lengths)]],
  (random, headers) => headers.toSpliced(random.below(headers.length), 1),
  (random, headers) => [...headers, ...repeat(between(random, 1, 200), (): Header => [pick(random, names), "1"])],
  (random, headers) => [...headers, ["x", "y".repeat(pick(random, [4000, 16_000, 17_000, 60_000, 66_000, 70_000]))]],
];

/** A call with a header block that is seldom as it should be, and a valid request. */
export function headerInput(random: Random, corpus: Corpus): HttpCall {
  const { path, requests } = pickMethod(random, corpus);
  let headers = headersOf(path);
  for (let left = between(random, 1, 3); left > 0; left -= 1) {
    headers = pick(random, random.percent(95) ? tweaks : rareTweaks)(random, headers);
  }
  return { headers, body: random.percent(95) ? frame(pick(random, requests)) : Buffer.alloc(0) };
}

function replace(headers: readonly Header[], name: string, value: string): Header[] {
  return headers.map((header) => (header[0] === name ? [name, value] : header));
}

function authorization(random: Random): Header {
  return ["authorization", pick(random, authorizations)];
}

function binaryValue(random: Random): string {
  return pick(random, ["", "=", "====", "a", "aGk", "aGk=", "!!!", "aGk=,aGk=", "\u00ff", "-_", ",", anyValue(random)]);
}

/** Any bytes that a header's value may have, and sometimes those that it may not. */
function anyValue(random: Random): string {
  const bytes = anyBytes(random, random.below(60));
  const isFree = random.percent(20);
  const isAllowed = (byte: number) => byte !== 0 && (isFree || (byte >= 32 && byte !== 127));
  return Buffer.from(bytes.filter(isAllowed)).toString("latin1");
}
