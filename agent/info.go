package agent

// TopicTasks carries a notice for every task that started or ended, under the
// keys "<purpose>.started", "<purpose>.done" and "<purpose>.failed", with a
// TaskNotice as its body. The topic is Muster's own.
const TopicTasks = "musterTasks"

// TaskNotice tells that a task started or ended.
type TaskNotice struct {
	Task    string `json:"task"`
	Room    string `json:"room"`
	Node    string `json:"node"`
	Worker  string `json:"worker"`
	Purpose string `json:"purpose"`
	// Error is why it failed.
	Error string `json:"error,omitempty"`
}

// NodeState says how far a node is.
type NodeState string

// The states of a node.
const (
	NodeStarting NodeState = "starting"
	NodeIdle     NodeState = "idle"
	NodeBusy     NodeState = "busy"
	NodeStopping NodeState = "stopping"
)

// NodeInfo is a node in the answer to listNodes.
type NodeInfo struct {
	Node string `json:"node"`
	// PID is 0 where the node has no process of its own.
	PID   int       `json:"pid"`
	State NodeState `json:"state"`
	// Room is that of its first task.
	Room   string   `json:"room"`
	Tasks  []string `json:"tasks"`
	Status string   `json:"status"`
	// StartedMSAgo is its age in milliseconds.
	StartedMSAgo int64 `json:"started_ms_ago"`
}
