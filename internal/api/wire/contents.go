package wire

// Contents are what a deployment consists of.
type Contents struct {
	Functions   []FunctionContents `json:"functions" nullable:"false"`
	Routes      []RouteContents    `json:"routes" nullable:"false" doc:"By path"`
	Bytes       int64              `json:"bytes" doc:"Of all files"`
	StaticFiles int                `json:"staticFiles" doc:"Files that are served as they are"`
	StaticBytes int64              `json:"staticBytes"`
}

// FunctionContents describes the bundle of a function.
type FunctionContents struct {
	Name    string `json:"name"`
	Runtime string `json:"runtime" enum:"nodejs,edge" doc:"edge: the middleware, which is built for the edge runtime of Next.js; Node.js runs it"`
	Files   int    `json:"files"`
	Bytes   int64  `json:"bytes"`
}

// RouteContents describes a route of the app.
type RouteContents struct {
	Path             string `json:"path" example:"/products/[slug]" doc:"As the folders of the app spell it, without the base path"`
	Kind             string `json:"kind" enum:"page,api"`
	Function         string `json:"function" doc:"The function that answers it"`
	Runtime          string `json:"runtime" enum:"nodejs,static" doc:"static: all of it was rendered by the build, and is rendered again when it is revalidated"`
	Bytes            int64  `json:"bytes" doc:"Of its own module; what routes share is in the size of the function"`
	PrerenderedPages int    `json:"prerenderedPages" doc:"Pages that the build has rendered"`
	PrerenderedBytes int64  `json:"prerenderedBytes"`
}
