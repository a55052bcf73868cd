package anchor

// CacheSelection says which stored answers of a project to purge: those that all its fields
// describe. The zero value describes all.
type CacheSelection struct {
	Deployment DeploymentID // "" for all
	Host       string       // without port; "" for all
	Path       string       // percent-encoded; without a query it stands for any query; "" for all
	Prefix     string       // how the path begins; "" for all
	Tag        string       // "" for all
}
