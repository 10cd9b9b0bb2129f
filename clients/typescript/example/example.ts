// Registers a version of a model, reads it back, lists all, and sees that a version cannot be registered twice:
//
//     node example.ts localhost:50051 image_classifier

import { SteleClient, VersionAlreadyExistsError } from "stele-client";

const [address = "localhost:50051", model = "image_classifier"] = process.argv.slice(2);
const number = { case: "version", value: "1.0.1" } as const;
const metadata = { architecture: "CNN", trainingData: [{ name: "dataset_v3" }], metrics: { accuracy: 0.95 } };

const client = new SteleClient({ address, plaintext: true });
try {
  const registered = await client.register({ model, number, metadata });
  console.log(`registered ${registered.version} with ${registered.digest}`);

  const stored = await client.get(model, "1.0.1");
  console.log(`stored ${stored.metadata?.architecture} with accuracy ${stored.metadata?.metrics["accuracy"]}`);

  for await (const { version } of client.listVersions({ model })) console.log(version);

  await client.register({ model, number, metadata: { ...metadata, metrics: { accuracy: 0.99 } } });
} catch (error) {
  if (!(error instanceof VersionAlreadyExistsError)) throw error;
  console.log(`already registered with ${error.existingDigest}, identical: ${error.identical}`);
} finally {
  client.close();
}
