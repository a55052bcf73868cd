console.error("about to fail");
throw new Error("broken at import");
