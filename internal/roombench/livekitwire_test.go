package roombench

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestMessagesOfLiveKit(t *testing.T) {
	inner := message(nil).text(sdpType, "answer").text(sdpText, "v=0").number(sdpID, 7)
	m := message(nil).message(requestAnswer, inner)
	found := 0
	if err := m.each(func(n protowire.Number, v message) {
		if n == requestAnswer {
			found++
			if v.first(sdpType) != "answer" || v.first(sdpText) != "v=0" || v.firstNumber(sdpID) != 7 || v.first(9) != "" || v.firstNumber(9) != 0 {
				t.Errorf("got %q, %q, %d", v.first(sdpType), v.first(sdpText), v.firstNumber(sdpID))
			}
		}
	}); err != nil || found != 1 {
		t.Errorf("%d messages, %v", found, err)
	}
	for cut := 1; cut < len(m); cut++ {
		if m[:cut].each(func(protowire.Number, message) {}) == nil {
			t.Errorf("a message that ends after %d bytes is taken", cut)
		}
	}
}
