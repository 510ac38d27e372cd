package media

import "context"

func analyse(ctx context.Context, d *desk, p analysis) error { return nil }
