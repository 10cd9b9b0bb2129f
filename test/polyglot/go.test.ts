import { testClient } from "./client-suite.ts";
import { go } from "./languages.ts";

await testClient(go);
