import { app } from "../app.mjs";
import { compressed } from "../opennext.mjs";
export const handler = await compressed(app);
