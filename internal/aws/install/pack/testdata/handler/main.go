// Command handler stands for the AWS handlers in the test of how they are packed.
package main

import "runtime"

func main() { println(runtime.GOARCH) }
