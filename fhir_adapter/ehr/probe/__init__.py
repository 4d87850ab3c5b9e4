"""Whether a server does what it says: few requests, each small, and none that changes anything unless asked for."""
