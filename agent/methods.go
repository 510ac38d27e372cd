package agent

// ownMethods are the methods that an agent serves under its worker's id.
var ownMethods = []string{
	"getNode", "recycleNode", "queryNode", "queryTask", "listNodes", "readLog", "drain", "ping",
}
