import { testClient } from "./client-suite.ts";
import { java } from "./languages.ts";

await testClient(java);
