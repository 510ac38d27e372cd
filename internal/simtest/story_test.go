package simtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d stories, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			play(t, file, string(raw))
		})
	}
}

func play(t *testing.T, name, text string) {
	t.Helper()
	st, err := ParseStory(name, text)
	if err != nil {
		t.Fatal(err)
	}
	history, err := st.Run()
	if err != nil {
		lines := strings.Split(history, "\n")
		t.Errorf("%s\n%v", strings.Join(lines[max(0, len(lines)-80):], "\n"), err)
	}
}

// TestWrongStories: a story that fails says in which line.
func TestWrongStories(t *testing.T) {
	const begin = "managers 1\nworkers 1 webrtc max 1\n\n"
	for text, want := range map[string]string{
		"dance":                                "wrong.txt:1: \"dance\" is no step",
		"managers many":                        "wrong.txt:1: managers many: strconv.Atoi",
		begin + "schedule webrtc a -> refused": "wrong.txt:4: schedule webrtc a -> refused: webrtc a: it is placed",
		begin + "# a comment\nexpect placed webrtc a": "wrong.txt:5: expect placed webrtc a: webrtc a is on \"\"",
		begin + "kill m7": "wrong.txt:4: kill m7: there is no m7",
		begin + "after 1ms kill leader\nrun 2ms\nexpect leader": "wrong.txt:6: expect leader: no manager leads",
	} {
		st, err := ParseStory("wrong.txt", text)
		if err == nil {
			_, err = st.Run()
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
