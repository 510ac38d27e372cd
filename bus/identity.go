package bus

// A Role is what a user of a message queue may do.
type Role string

// The roles. A worker speaks for itself alone, and may place tasks. A caller places
// tasks, gives them up, and calls workers. A viewer reads. An operator does what both
// do, and steers. An admin also changes the managers. A manager may do everything.
const (
	RoleWorker   Role = "worker"
	RoleCaller   Role = "caller"
	RoleViewer   Role = "viewer"
	RoleOperator Role = "operator"
	RoleAdmin    Role = "admin"
	RoleManager  Role = "manager"
)

// Identity is a user of a message queue that lets in the users that it knows only.
type Identity struct {
	Role Role
	Name string
}
