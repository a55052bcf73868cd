// Package anchor is the domain: projects, deployments, releases and the rules they
// obey. It imports nothing of ours and knows no database, no HTTP and no cloud.
package anchor
