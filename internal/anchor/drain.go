package anchor

// DrainKinds are the forms in which drains send lines, and DrainSources what they send.
var (
	DrainKinds   = []string{"http", "loki", "otlp", "syslog"}
	DrainSources = []string{"app", "access"}
)

// Drain is where copies of log lines go. The JSON names are part of the API and of the records.
type Drain struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind" enum:"http,loki,otlp,syslog"`
	Target    string    `json:"target" doc:"Host and port of the URL"`
	ProjectID ProjectID `json:"projectId,omitempty" doc:"Absent: all projects"`
	Sources   []string  `json:"sources" nullable:"false" doc:"app: what apps print; access: a line for each request"`
	CreatedAt int64     `json:"createdAt" doc:"Unix milliseconds"`
	DrainState
}

// DrainState is what a drain did since the start of the server.
type DrainState struct {
	Sent         int64  `json:"sent" doc:"Lines that the target took since the server started"`
	Dropped      int64  `json:"dropped" doc:"Lines that were lost since then: the buffer was full, or the target refused them"`
	WaitingBytes int64  `json:"waitingBytes" doc:"Size of the lines that wait"`
	LastAt       int64  `json:"lastAt,omitempty" doc:"When lines were last sent, or could not be, in Unix milliseconds"`
	LastError    string `json:"lastError,omitempty" doc:"Why the last attempt failed; absent when it did not"`
}

// DrainTarget is the secret part of a drain.
type DrainTarget struct {
	URL     string            `json:"url" maxLength:"2048" doc:"https://…, http://…; for syslog: syslog+tls://HOST:PORT, syslog+tcp://…, syslog+udp://…"`
	Headers map[string]string `json:"headers,omitempty" doc:"Fields of each request, such as Authorization; not for syslog"`
}
