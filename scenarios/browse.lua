-- A visitor who looks at as many products as the page has, and buys every third of them.
local function look(user, product)
  local answer = user.http.get("/products/" .. product, { name = "product" })
  user.check("product is there", answer.ok)
  user.think("20ms", "60ms")
end

return function(user)
  local list = user.http.post("/echo", {
    name = "list products",
    headers = { ["content-type"] = "application/json" },
    body = json.encode({ items = { user.random(1, 50), user.random(51, 100), user.random(101, 150) } }),
  })
  user.check("list is ok", list.status == 200)
  for i, product in ipairs(list:json().items) do
    look(user, product)
    if i % 3 == 0 then
      local bought = user.http.post("/echo", { name = "buy", body = json.encode({ product = product, user = user.id }) })
      user.check("is mine", bought:json("user") == user.id)
    end
  end
  user.seen = (user.seen or 0) + 1 -- kept from journey to journey
end
