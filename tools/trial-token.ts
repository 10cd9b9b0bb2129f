// Makes a key pair and a JWT by it, to try authentication by tokens without an issuer. The key is thrown away.

import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

const usage = "npm run -s trial-token -- --keys FILE --issuer URL --audience NAME CALLER\n";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keys: { type: "string" }, issuer: { type: "string" }, audience: { type: "string" } },
});
const { keys, issuer, audience } = values;
const [subject, ...rest] = positionals;

if (!keys || !issuer || !audience || !subject || rest.length > 0) {
  process.stderr.write(usage);
  process.exitCode = 1;
} else {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const key = { ...(await exportJWK(publicKey)), kid: "trial", alg: "ES256", use: "sig" };
  await writeFile(keys, `${JSON.stringify({ keys: [key] }, undefined, 2)}\n`);
  const token = new SignJWT().setProtectedHeader({ alg: "ES256", kid: "trial" });
  token.setIssuer(issuer).setAudience(audience).setSubject(subject).setIssuedAt().setExpirationTime("1h");
  process.stdout.write(`${await token.sign(privateKey)}\n`);
}
