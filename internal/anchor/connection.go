package anchor

import "net/http"

// Host is a service that keeps Git repositories and calls Anchor when they change.
type Host string

// The hosts. Forgejo is a Gitea. Plain is any Git server that can only request a URL.
const (
	GitHub    Host = "github"
	GitLab    Host = "gitlab"
	Gitea     Host = "gitea"
	Bitbucket Host = "bitbucket"
	Plain     Host = "plain"
)

// Hosts are all hosts, in the order in which users see them.
var Hosts = []Host{GitHub, GitLab, Gitea, Bitbucket, Plain}

// Connection ties a project to a repository elsewhere. Its secrets are kept apart, see
// ConnectionSecrets. Times are Unix milliseconds.
type Connection struct {
	Host       Host     `json:"host" enum:"github,gitlab,gitea,bitbucket,plain"`
	Repository string   `json:"repository" doc:"What is cloned: an https or ssh URL without a password"`
	Name       string   `json:"name" doc:"The repository's path at the host, such as acme/shop"`
	APIURL     string   `json:"apiUrl,omitempty" doc:"Root of the host's API"`
	WatchPaths []string `json:"watchPaths,omitempty" doc:"Patterns of Git (pathspec, glob); a commit that changes none of them is not built"`
	AppID      int64    `json:"appId,omitempty" doc:"Of the GitHub App that Anchor acts as"`
	Install    int64    `json:"installationId,omitempty" doc:"Of the GitHub App in the repository's account"`
	HasToken   bool     `json:"hasToken" doc:"Whether Anchor can write statuses and comments"`
	DeployKey  string   `json:"deployKey" doc:"Public half of the key that clones, as in authorized_keys"`
	HostKey    string   `json:"hostKey,omitempty" doc:"Key of the SSH server as seen at the first clone, as in known_hosts"`
	CreatedAt  int64    `json:"createdAt"`
	Problem    string   `json:"problem,omitempty" doc:"Why the last report to the host failed"`
}

// ConnectionSecrets are stored encrypted.
type ConnectionSecrets struct {
	Hook   string `json:"hook"`            // signs the host's deliveries
	Key    string `json:"key"`             // private deploy key, PEM
	Token  string `json:"token,omitempty"` // of the host's API
	AppKey string `json:"appKey,omitempty"`
}

// Delivery is one call of the host. Events is JSON of what it says; Outcome is empty until the
// delivery has been processed.
type Delivery struct {
	Seq        int64     `json:"-"`
	ProjectID  ProjectID `json:"-"`
	ID         string    `json:"deliveryId"`
	Summary    string    `json:"summary"`
	Events     []byte    `json:"-"`
	ReceivedAt int64     `json:"receivedAt"`
	Outcome    string    `json:"outcome,omitempty"`
}

// PullRequest is what is known of a pull request (GitLab: merge request) of a connected repository.
type PullRequest struct {
	Number    int64  `json:"number"`
	Title     string `json:"title"`
	Branch    string `json:"branch" doc:"Of its deployments: the branch, or pull/<number> for one from a fork"`
	Commit    string `json:"commit"`
	Fork      bool   `json:"fork"`
	Closed    bool   `json:"closed"`
	Approved  string `json:"approved,omitempty" doc:"The commit of a fork that may be built"`
	UpdatedAt int64  `json:"updatedAt"`
	Comment   string `json:"-"` // id at the host
}

// HostReport is a deployment whose state is written to the host.
type HostReport struct {
	Deployment DeploymentID `json:"deployment"`
	Commit     string       `json:"commit"`
	Branch     string       `json:"branch"`
	Pull       int64        `json:"pull,omitempty"`
	ID         string       `json:"id,omitempty"`    // of the deployment at the host
	State      string       `json:"state,omitempty"` // written last
	Done       bool         `json:"done,omitempty"`
}

// HookAnswer answers a delivery.
type HookAnswer struct {
	Delivery string `json:"deliveryId"`
	Status   string `json:"status" enum:"accepted,repeated,ignored"`
	Message  string `json:"message"`
}

// ConnectRequest is what a user asks to connect.
type ConnectRequest struct {
	Host       Host
	Repository string
	APIURL     string
	Token      string
	AppID      int64
	Install    int64
	AppKey     string
	WatchPaths []string
	HookURL    string // root of this server as the host sees it; "": the user creates the webhook
	Rotate     bool   // new secret and deploy key
}

// Connected is a connection with what the host has to know. Secret and DeployHookPath are empty
// unless they are asked for.
type Connected struct {
	Connection
	HookPath       string     `json:"hookPath" doc:"Path of the webhook on this server"`
	Secret         string     `json:"secret,omitempty" doc:"Of the webhook"`
	DeployHookPath string     `json:"deployHookPath,omitempty" doc:"Path that builds a branch when it is requested by POST; contains its key"`
	Deliveries     []Delivery `json:"deliveries,omitempty" doc:"The newest, newest first"`
}

// HookCall is a request to a project's webhook.
type HookCall struct {
	Host   string // of the URL: a host, or "deploy" for the plain deploy hook
	Header http.Header
	Body   []byte
	Key    string // of the plain deploy hook
	Branch string // that the plain deploy hook builds; "" is the production branch
}
