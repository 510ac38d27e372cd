package agent

// TaskNotice reports that a task started or ended. It is published on
// bus.TopicTasks, under the keys "<purpose>.started", "<purpose>.done" and
// "<purpose>.failed".
type TaskNotice struct {
	Task    string `json:"task"`
	Room    string `json:"room"`
	Node    string `json:"node"`
	Worker  string `json:"worker"`
	Purpose string `json:"purpose"`
	// Error is why it failed.
	Error string `json:"error,omitempty"`
}
