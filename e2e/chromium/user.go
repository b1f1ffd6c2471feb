package chromium

// Drag moves the mouse from one place to another with its button pressed. Places are in
// pixels of the window.
func (p *Page) Drag(fromX, fromY, toX, toY float64) error {
	const steps = 5
	mouse := func(typ string, x, y float64, pressed bool) error {
		buttons := 0
		if pressed {
			buttons = 1
		}
		return p.browser.call(p.session, "Input.dispatchMouseEvent", map[string]any{
			"type": typ, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1,
		}, nil)
	}
	if err := mouse("mouseMoved", fromX, fromY, false); err != nil {
		return err
	}
	if err := mouse("mousePressed", fromX, fromY, true); err != nil {
		return err
	}
	for i := 1; i <= steps; i++ {
		f := float64(i) / steps
		if err := mouse("mouseMoved", fromX+f*(toX-fromX), fromY+f*(toY-fromY), true); err != nil {
			return err
		}
	}
	return mouse("mouseReleased", toX, toY, false)
}

// Press presses a key, as in "ArrowRight", with Shift or without.
func (p *Page) Press(key string, shift bool) error {
	modifiers := 0
	if shift {
		modifiers = 8
	}
	event := map[string]any{"type": "keyDown", "key": key, "code": key, "modifiers": modifiers}
	if len([]rune(key)) == 1 {
		event["text"] = key
	}
	if err := p.browser.call(p.session, "Input.dispatchKeyEvent", event, nil); err != nil {
		return err
	}
	return p.browser.call(p.session, "Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "modifiers": modifiers}, nil)
}

// Type types a text into what has the focus.
func (p *Page) Type(text string) error {
	return p.browser.call(p.session, "Input.insertText", map[string]any{"text": text}, nil)
}

// Resize makes the page's window so large, in pixels.
func (p *Page) Resize(width, height int) error {
	return p.browser.call(p.session, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Media sets the value of a feature that style sheets ask for, as in
// prefers-color-scheme, and the medium, as in "print".
func (p *Page) Media(medium, feature, value string) error {
	return p.browser.call(p.session, "Emulation.setEmulatedMedia", map[string]any{"media": medium, "features": []map[string]string{{"name": feature, "value": value}}}, nil)
}

// Screenshot returns a picture of the whole page, as PNG.
func (p *Page) Screenshot() ([]byte, error) {
	var shot struct{ Data []byte }
	err := p.browser.call(p.session, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true}, &shot)
	return shot.Data, err
}

// Close closes the page's tab.
func (p *Page) Close() error {
	b := p.browser
	b.mu.Lock()
	delete(b.watched, p.session)
	b.mu.Unlock()
	return b.call(p.session, "Page.close", nil, nil)
}
