package install

// The names of what is created outside the stack. docs/aws.md lists all names.

func (i *Installation) artifactsBucket() string { return i.bucketName("artifacts") }

func (i *Installation) assetsBucket() string { return i.bucketName("assets") }

// bucketName contains account and region, because names of buckets are unique in all of AWS.
func (i *Installation) bucketName(kind string) string {
	return i.Name + "-" + kind + "-" + i.account + "-" + i.AWS.Region
}

// KeyParameter is the SSM parameter that stores an installation's key.
func KeyParameter(installation string) string { return "/" + installation + "/key" }

func (i *Installation) keyParameter() string { return KeyParameter(i.Name) }

func (i *Installation) tableNames() []string {
	return []string{i.Name + "-projects", i.Name + "-deployments", i.Name + "-domains"}
}
