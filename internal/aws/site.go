package aws

import "github.com/anchor-deploy/anchor/internal/anchor"

// Site names what serves the only project of an installation. What it leaves out is named after
// the project, and looked up.
type Site struct {
	ServerFunction, ImageFunction string // in Lambda
	Distribution, Domain          string // CloudFront's id, and a domain that leads to it
}

func (s Site) functionNames() map[string]string {
	return map[string]string{anchor.ServerFunction: s.ServerFunction, anchor.ImageFunction: s.ImageFunction}
}
