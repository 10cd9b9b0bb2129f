import { testClient } from "./client-suite.ts";
import { rust } from "./languages.ts";

await testClient(rust);
