"""What a user does with a network function, a module for each verb: importing one costs only what that verb needs."""
