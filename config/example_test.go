package config_test

import (
	"fmt"

	"github.com/muster-fleet/muster/config"
)

func ExampleParse() {
	c, err := config.Parse("cluster_manager.toml", []byte(`
[manager]
initial_time = 6000 # OWT counts in milliseconds

[rabbit]
host = "rabbit.example"
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Manager.Name, "waits", c.Manager.InitialTime)
	fmt.Println(c.BusKind(), "at", c.BusURL())
	fmt.Println("initial_time comes from", c.Origin("manager.initial_time"))
	// Output:
	// owt-cluster waits 6s
	// RabbitMQ at amqp://rabbit.example:5672
	// initial_time comes from cluster_manager.toml:3:1
}

// All problems are reported at once, with their place and the word that was
// probably meant.
func ExampleParse_mistakes() {
	_, err := config.Parse("cluster_manager.toml", []byte(`
[manager]
chek_alive_count = 3

[strategy]
video = "least-usd"
`))
	fmt.Println(err)
	// Output:
	// cluster_manager.toml:3:1: manager.chek_alive_count: unknown key; did you mean check_alive_count?
	// cluster_manager.toml:6:9: strategy.video: unknown strategy "least-usd": use one of least-used, most-used, last-used, round-robin, randomly-pick, weight-robin, two-choices; did you mean "least-used"?
}

// What a manager does on SIGHUP.
func ExampleReload() {
	running, _ := config.Parse("m.toml", []byte(`manager.name = "one"`))
	next, _ := config.Parse("m.toml", []byte("manager.name = 'two'\nstrategy.video = 'two-choices'"))
	for _, change := range config.Diff(running, next) {
		fmt.Printf("%s: %s -> %s\n", change.Key, change.From, change.To)
	}
	applied, needRestart := config.Reload(running, next)
	fmt.Println("video goes by", applied.Placement().Strategies["video"])
	fmt.Println("restart for", needRestart)
	// Output:
	// manager.name: one -> two
	// strategy.video: least-used -> two-choices
	// video goes by two-choices
	// restart for [manager.name]
}
